// KV on its way, layer by layer and piece by piece: the receiver computes while rows still come.

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <random>

#include "agents/media/kv_placer.hpp"
#include "agents/media/kv_sender.hpp"
#include "agents/receive/kv_arrivals.hpp"
#include "base/error.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/reassembly.hpp"
#include "llm/model/model.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::int64_t> some_ids(std::int64_t count, std::int64_t salt) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * 53 + salt) % 500);
  return ids;
}

wire::EdgeSpec edge_from(const std::string& sender, std::vector<int> layers = {1, 2, 5}) {
  wire::EdgeSpec spec;
  spec.from = sender;
  spec.to = "solver";
  spec.layers.kind = wire::LayerChoice::Kind::kExplicit;
  spec.layers.layers = std::move(layers);
  return spec;
}

using Messages = std::vector<wire::WireMessage>;

/// A sender's messages in the order in which they leave while it prefills `ids`.
Messages stream(const llm::Model& model, const wire::EdgeSpec& spec, const std::vector<std::int64_t>& ids,
                bool carries_sink = true) {
  Messages messages;
  llm::KvCache cache = model.make_cache(1);
  agents::KvSender sender({spec, llm::manifest_of(model.config()), carries_sink, {}}, cache,
                          {.own_rows = static_cast<std::int64_t>(ids.size())});
  llm::ForwardInput input{.embeddings = model.embed(ids), .logits = llm::LogitRows::kNone};
  input.on_layer = [&](int layer) {
    for (const auto& piece : sender.pieces_of(layer, cache.layer(layer))) {
      wire::Envelope envelope;
      envelope.mesh = "test";
      envelope.from = spec.from;
      envelope.to = spec.to;
      envelope.request = "r";
      envelope.sequence = static_cast<std::uint32_t>(messages.size());
      envelope.count = sender.message_count();
      envelope.layer = piece.receiver_layer;
      envelope.context_start = piece.context_start;
      envelope.context_end = piece.context_end;
      envelope.layers_complete = piece.layers_complete;
      const auto rows = agents::rows_of(cache.layer(layer), piece.begin, piece.end);
      messages.push_back(
          wire::decode_message(kvcodec::address_rows(kvcodec::pack_rows(rows, piece.wire), envelope).sealed()));
    }
  };
  model.forward(input, cache);
  CHECK(messages.size() == sender.message_count());
  return messages;
}

/// The same rows in another order: those of one layer stay in theirs, layers change places as the wire allows.
Messages reordered(const Messages& messages, int layers, std::mt19937& random) {
  std::map<int, std::deque<wire::WireMessage>> to_come;
  for (const wire::WireMessage& message : messages) to_come[message.envelope.layer].push_back(message);
  Messages order;
  while (!to_come.empty()) {
    const auto layer = std::next(to_come.begin(), static_cast<std::ptrdiff_t>(random() % to_come.size()));
    wire::WireMessage& message = order.emplace_back(std::move(layer->second.front()));
    layer->second.pop_front();
    if (layer->second.empty()) to_come.erase(layer);
    message.envelope.sequence = static_cast<std::uint32_t>(order.size() - 1);
    message.envelope.layers_complete = to_come.empty() ? layers : to_come.begin()->first;
  }
  return order;
}

agents::Wiring hears(const llm::Model& model, const std::vector<wire::EdgeSpec>& specs) {
  agents::Wiring wiring{.mesh = "test", .inbound = {}, .outbound = {}};
  for (const wire::EdgeSpec& spec : specs) wiring.inbound.push_back({spec, llm::manifest_of(model.config())});
  return wiring;
}

at::Tensor logits_behind(const llm::Model& model, agents::KvArrivals& arrivals, const std::vector<std::int64_t>& ids) {
  llm::ForwardInput input{.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll};
  input.before_layer = [&](int layer) { arrivals.wait_for(layer, Deadline::after(20s)); };
  return model.forward(input, arrivals.cache()).logits;
}

/// The same with all messages there before the first layer, in one go.
at::Tensor logits_after(const llm::Model& model, const agents::Wiring& wiring, const std::vector<Messages>& messages,
                        const std::vector<std::int64_t>& ids) {
  std::vector<agents::KvArrival> arrivals;
  for (std::size_t i = 0; i < messages.size(); ++i) arrivals.push_back({&wiring.inbound[i], &messages[i]});
  llm::KvCache cache = model.make_cache(1);
  agents::place_kv(model, arrivals, cache);
  return model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll}, cache).logits;
}

}  // namespace

TEST_CASE("a long prompt leaves in pieces of at most 512 tokens, the first of them before the last is computed") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const Messages messages = stream(model, edge_from("reader", {0, 1}), some_ids(700, 7));
  CHECK(kvcodec::count_positions(messages.at(0).envelope.positions) == 512);
  CHECK(messages.at(0).envelope.layer == 0);
  CHECK(messages.at(1).envelope.layer == 1);  // the same tokens' next layer, not the next tokens of layer 0
  CHECK(messages.at(0).envelope.layers_complete == 0);
  CHECK(messages.back().envelope.layers_complete == model.config().num_hidden_layers);
  for (const wire::WireMessage& message : messages) CHECK(message.envelope.context_end == 700);
}

TEST_CASE("the receiver computes layer by layer while rows still come, with the same logits as when all are there") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  for (const auto dtype : {wire::WireDtype::kSame, wire::WireDtype::kInt8}) {
    wire::EdgeSpec spec = edge_from("reader");
    spec.wire = dtype;
    const Messages messages = stream(model, spec, some_ids(600, 3));
    const agents::Wiring wiring = hears(model, {spec});
    const auto ids = some_ids(20, 11);

    agents::KvArrivals arrivals(model, wiring);
    // Each message is placed only once the layers before its own have been computed: what waits for all hangs here.
    llm::ForwardInput input{.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll};
    std::size_t next = 0;
    input.before_layer = [&](int layer) {
      while (next < messages.size() && messages[next].envelope.layers_complete <= layer)
        arrivals.place(0, messages[next++]);
      if (next < messages.size()) arrivals.place(0, messages[next++]);
      arrivals.wait_for(layer, Deadline::after(20s));
    };
    const at::Tensor got = model.forward(input, arrivals.cache()).logits;
    CHECK(distance(got, logits_after(model, wiring, {messages}, ids)) < 1e-4);
  }
}

TEST_CASE("rows of two senders that come crosswise stand in declared order") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const wire::EdgeSpec first = edge_from("first", {0, 3}), second = edge_from("second", {3, 4});
  const std::vector<Messages> messages{stream(model, first, some_ids(530, 3)),
                                       stream(model, second, some_ids(40, 17), /*carries_sink=*/false)};
  const agents::Wiring wiring = hears(model, {first, second});
  agents::KvArrivals arrivals(model, wiring);
  auto feeder = std::async(std::launch::async, [&] {
    for (const wire::WireMessage& message : messages[1]) arrivals.place(1, message);
    for (const wire::WireMessage& message : messages[0]) arrivals.place(0, message);
  });
  const auto ids = some_ids(9, 5);
  const at::Tensor got = logits_behind(model, arrivals, ids);
  feeder.get();
  CHECK(distance(got, logits_after(model, wiring, messages, ids)) < 1e-4);
  CHECK(arrivals.rows(0).at(3).end == arrivals.rows(1).at(3).begin);
  CHECK(arrivals.last_arrival().has_value());
}

TEST_CASE("the order in which layers and senders come makes no difference") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const int layers = static_cast<int>(model.config().num_hidden_layers);
  const auto ids = some_ids(9, 5);
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    std::mt19937 random(seed);
    std::vector<wire::EdgeSpec> specs;
    std::vector<Messages> messages, other_order;
    std::vector<kvcodec::Reassembly> inboxes;
    for (std::size_t sender = 0; sender < 1 + seed % 3; ++sender) {
      std::vector<int> chosen;
      for (int layer = 0; layer < layers; ++layer)
        if (random() % 2 == 0) chosen.push_back(layer);
      specs.push_back(edge_from("sender" + std::to_string(sender), chosen));
      const auto tokens = static_cast<std::int64_t>(sender == 0 ? 520 + random() % 50 : 1 + random() % 40);
      messages.push_back(stream(model, specs.back(), some_ids(tokens, 3), /*carries_sink=*/sender == 0));
      other_order.push_back(reordered(messages.back(), layers, random));
      inboxes.emplace_back(kvcodec::ExpectedMessages{"test", specs.back().from, "solver", wire::Medium::kKv, "r", ""});
    }
    const agents::Wiring wiring = hears(model, specs);
    agents::KvArrivals arrivals(model, wiring);
    std::vector<std::size_t> turns, next(specs.size());
    for (std::size_t sender = 0; sender < specs.size(); ++sender)
      turns.insert(turns.end(), other_order[sender].size(), sender);
    std::shuffle(turns.begin(), turns.end(), random);
    for (std::size_t sender : turns) {
      inboxes[sender].feed(other_order[sender][next[sender]++]);  // refuses what the wire does not allow
      arrivals.place(sender, std::move(inboxes[sender].take().front()));
    }
    CAPTURE(seed, specs.size());
    CHECK(distance(logits_behind(model, arrivals, ids), logits_after(model, wiring, messages, ids)) < 1e-6);
  }
}

TEST_CASE("who waits for rows that never come is told why") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const wire::EdgeSpec spec = edge_from("reader");
  const Messages messages = stream(model, spec, some_ids(30, 3));
  const agents::Wiring wiring = hears(model, {spec});

  agents::KvArrivals late(model, wiring);
  late.place(0, messages.front());
  late.wait_for(0, Deadline::after(0ms));
  CHECK_THROWS_WITH(late.wait_for(1, Deadline::after(1ms)), Catch::Contains("deadline") && Catch::Contains("layer 1"));

  agents::KvArrivals broken(model, wiring);
  auto waiter = std::async(std::launch::async, [&] { return logits_behind(model, broken, some_ids(4, 1)); });
  broken.place(0, messages.front());
  broken.fail(Error(ErrorKind::kReconnect, "message 1 was damaged"));
  CHECK_THROWS_WITH(waiter.get(), Catch::Contains("message 1 was damaged"));
}

TEST_CASE("int8 and int4 rows keep the sink as it is and the logits near") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "bf16"});
  const auto context = some_ids(200, 3), ids = some_ids(20, 11);
  const auto logits = [&](wire::WireDtype dtype) {
    wire::EdgeSpec spec = edge_from("reader", {0, 1, 2, 3, 4, 5, 6, 7});
    spec.wire = dtype;
    const Messages messages = stream(model, spec, context);
    if (dtype == wire::WireDtype::kInt8 || dtype == wire::WireDtype::kInt4) {
      CHECK(messages.front().envelope.encoding == wire::Encoding::kPlain);
      CHECK((messages.front().envelope.positions == std::vector<wire::PositionRange>{{0, 1}}));
      CHECK(messages.at(1).envelope.encoding != wire::Encoding::kPlain);
    }
    return logits_after(model, hears(model, {spec}), {messages}, ids);
  };
  const at::Tensor exact = logits(wire::WireDtype::kSame);
  const auto error = [&](wire::WireDtype dtype) {
    return ((logits(dtype) - exact).norm() / exact.norm()).item<double>();
  };
  CHECK(error(wire::WireDtype::kBFloat16) == 0);
  const double eight = error(wire::WireDtype::kInt8), four = error(wire::WireDtype::kInt4);
  CHECK(eight < 0.05);
  CHECK(eight < four);
  CHECK(four < 0.3);
}
