#include "agents/turns/wire_search.hpp"

#include <ATen/ATen.h>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "llm/decode/target_nats.hpp"
#include "llm/host.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;

namespace {

using Ids = std::vector<std::int64_t>;

const Ids kPrompt = {17, 3, 40, 211, 6}, kTarget = {60, 2, 130};

/// More than two groups of tokens.
Ids context() {
  Ids ids;
  for (std::int64_t i = 0; i < 150; ++i) ids.push_back((i * i * 7 + 13) % 500);
  return ids;
}

InboundEdge edge_with(const llm::Model& model, wire::WireDtype wire) {
  InboundEdge edge;
  edge.spec = {.from = "reader", .to = "solver"};
  edge.spec.layers = {.kind = wire::LayerChoice::Kind::kExplicit, .layers = {1, 3}};
  edge.spec.wire = wire;
  edge.sender = llm::manifest_of(model.config());
  return edge;
}

SearchSample sample(const llm::Model& model) {
  llm::KvCache cache = model.make_cache(1);
  model.forward({.embeddings = model.embed(context()), .logits = llm::LogitRows::kNone}, cache);
  std::vector<llm::LayerCache> layers;
  for (int l = 0; l < cache.layers(); ++l) {
    cache.layer(l).shared_rows = cache.layer(l).length();
    layers.push_back(cache.layer(l).shared_alone(static_cast<std::int64_t>(kPrompt.size() + kTarget.size()) - 1));
  }
  return {.shared = llm::KvCache(std::move(layers)),
          .rows = {std::vector<llm::RowRange>(4, {0, 150})},
          .prompt = model.embed(kPrompt),
          .target = kTarget,
          .attention = {{0.1, 0.4, 0.3, 0.2}}};
}

/// What the target costs behind messages that went through sender, codec and receiver.
double nats_of_exchange(const llm::Model& model, wire::WireDtype wire) {
  Ids said = kPrompt;
  said.insert(said.end(), kTarget.begin(), kTarget.end() - 1);
  const auto result =
      exchange(model, model, {.sender_ids = {context()}, .receiver_ids = said, .edge = edge_with(model, wire).spec});
  return llm::nats_of(result.logits.narrow(0, static_cast<std::int64_t>(kPrompt.size()) - 1, 3), kTarget);
}

}  // namespace

TEST_CASE("what fewer bits cost in a trial is what they cost on the wire") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const InboundEdge edge = edge_with(model, wire::WireDtype::kAuto);
  std::vector<SearchSample> samples;
  samples.push_back(sample(model));
  bus::EdgeScores found;
  choose_wire(model, edge, 0, samples, {}, found);
  REQUIRE(found.wires.size() >= 2);
  CHECK(found.wires[0].wire == "same");
  for (const bus::WireLoss& one : found.wires)
    CHECK(one.loss == Approx(nats_of_exchange(model, *wire::find_wire_dtype(one.wire))).margin(1e-4));
}

TEST_CASE("the fewest bits that lose little are chosen") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const InboundEdge edge = edge_with(model, wire::WireDtype::kAuto);
  std::vector<SearchSample> samples;
  samples.push_back(sample(model));
  bus::EdgeScores found;
  choose_wire(model, edge, 0, samples, {}, found);
  // Each that was tried before the chosen one lost more than it may.
  const auto chosen = found.wire == "same" ? found.wires.end() : found.wires.end() - 1;
  if (found.wire != "same") CHECK(chosen->wire == found.wire);
  const std::vector<std::string> order = {"same", "int4", "int8", "bf16"};
  for (std::size_t i = 0; i < found.wires.size(); ++i) CHECK(found.wires[i].wire == order[i]);
}

TEST_CASE("rows that go in bf16 and those that stay as they are come as they went") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const SearchSample one = sample(model);
  const kvcodec::LayerKv rows = {one.shared.layer(1).keys(),
                                 one.shared.layer(1).values(),
                                 {{.first = 0, .count = 150}}};
  CHECK(at::equal(as_received(rows, wire::WireDtype::kSame).keys, rows.keys));
  CHECK(at::equal(as_received(rows, wire::WireDtype::kBFloat16).values, rows.values.to(at::kBFloat16).to(at::kFloat)));
  const kvcodec::LayerKv four = as_received(rows, wire::WireDtype::kInt4);
  CHECK(four.tokens() == 150);
  CHECK(at::equal(four.keys.narrow(0, 0, 1), rows.keys.narrow(0, 0, 1).to(at::kBFloat16).to(at::kFloat)));
}
