// Rows of single KV heads on their way into a receiver's cache, against plain attention in double with a mask per head.

#include <ATen/ATen.h>

#include "agents/media/kv_placer.hpp"
#include "agents/media/kv_sender.hpp"
#include "kvcodec/encode.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;

namespace {

using Ids = std::vector<std::int64_t>;
using Heads = std::vector<std::vector<std::int32_t>>;  ///< by layer

Ids ids(std::int64_t count, std::int64_t seed) {
  Ids all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back((i * 71 + seed) % 500);
  return all;
}

InboundEdge edge_of(const llm::Model& model) {
  InboundEdge edge{.spec = {.from = "reader", .to = "solver"}, .sender = llm::manifest_of(model.config())};
  return edge;
}

/// What a sender of single heads sends: at each layer the sink with every head, then the rest with `heads`, in pieces
/// of 64 rows.
std::vector<wire::WireMessage> messages_of(const llm::Model& model, const Ids& context, const Heads& heads,
                                           wire::WireDtype dtype) {
  llm::KvCache cache = model.make_cache(1);
  model.forward({.embeddings = model.embed(context), .logits = llm::LogitRows::kNone}, cache);
  const auto rows = static_cast<std::int64_t>(context.size());
  std::vector<std::pair<wire::Envelope, kvcodec::PackedRows>> all;
  for (int layer = 0; layer < cache.layers(); ++layer) {
    const auto add = [&](std::int64_t begin, std::int64_t end, const std::vector<std::int32_t>& some) {
      wire::Envelope envelope;
      envelope.mesh = "m";
      envelope.from = "reader";
      envelope.to = "solver";
      envelope.request = "r";
      envelope.layer = layer;
      envelope.heads = some;
      envelope.context_end = rows;
      const bool sink = end == 1;
      all.emplace_back(envelope, kvcodec::pack_rows(kvcodec::only_heads(rows_of(cache.layer(layer), begin, end), some),
                                                    sink ? wire::WireDtype::kSame : dtype));
    };
    add(0, 1, {});
    const std::vector<std::int32_t>& some = heads[static_cast<std::size_t>(layer)];
    for (std::int64_t begin = 1; begin < rows && !some.empty(); begin = begin / 64 * 64 + 64)
      add(begin, std::min(rows, begin / 64 * 64 + 64), some);
  }
  std::vector<wire::WireMessage> messages;
  for (auto& [envelope, packed] : all) {
    envelope.sequence = static_cast<std::uint32_t>(messages.size());
    envelope.count = static_cast<std::uint32_t>(all.size());
    messages.push_back(wire::decode_message(kvcodec::address_rows(packed, envelope).sealed()));
  }
  return messages;
}

at::Tensor logits_behind(const llm::Model& model, const std::vector<wire::WireMessage>& messages, const Ids& prompt) {
  const InboundEdge edge = edge_of(model);
  llm::KvCache cache = model.make_cache(1);
  place_kv(model, {{&edge, &messages}}, cache);
  return model.forward({.embeddings = model.embed(prompt), .logits = llm::LogitRows::kAll}, cache).logits;
}

}  // namespace

TEST_CASE("rows of single heads give the logits of plain attention with a mask for each head, in double, to 1e-4") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  const std::vector<Heads> all = {{{}, {}, {}, {}},
                                  {{0}, {1}, {0}, {1}},
                                  {{1}, {}, {0, 1}, {1}},
                                  {{0, 1}, {0}, {}, {}}};
  for (const std::int64_t rows : {41, 150}) {
    for (const Heads& heads : all) {
      const at::Tensor got =
          logits_behind(model, messages_of(model, ids(rows, 5), heads, wire::WireDtype::kSame), ids(13, 9));
      std::vector<std::vector<int>> shared;
      for (const auto& some : heads) shared.emplace_back(some.begin(), some.end());
      CHECK(distance(got, reference.logits_of_heads(ids(rows, 5), ids(13, 9), shared)) < 1e-4);
    }
  }
}

TEST_CASE("rows of single heads in fewer bits come close to those that travel as they are") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Heads heads = {{0}, {1}, {0, 1}, {1}};
  const auto logits = [&](wire::WireDtype dtype) {
    return logits_behind(model, messages_of(model, ids(150, 5), heads, dtype), ids(13, 9));
  };
  const at::Tensor exact = logits(wire::WireDtype::kSame);
  const auto error = [&](wire::WireDtype dtype) {
    return (logits(dtype) - exact).norm().item<double>() / exact.norm().item<double>();
  };
  CHECK(error(wire::WireDtype::kBFloat16) < 0.02);
  CHECK(error(wire::WireDtype::kInt8) < 0.05);
  CHECK(error(wire::WireDtype::kInt8) < error(wire::WireDtype::kInt4));
}

TEST_CASE("rows of a head that the receiver does not have are refused with the numbers") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  std::vector<wire::WireMessage> messages = messages_of(model, ids(20, 5), {{1}, {}, {}, {}}, wire::WireDtype::kSame);
  messages[1].envelope.heads = {2};
  CHECK_THROWS_WITH(logits_behind(model, messages, ids(3, 9)),
                    Catch::Contains("KV head 2") && Catch::Contains("0 to 1"));
}
