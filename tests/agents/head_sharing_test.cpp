// Single KV heads shared: against plain attention in double with a mask for each head, through every form on the wire.

#include <algorithm>
#include <random>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using agents::exchange;
using agents::ExchangeRequest;
using agents::ExchangeResult;

namespace {

/// By layer: the KV heads that are shared.
using Heads = std::vector<std::vector<int>>;

constexpr int kKvHeads = 2;

wire::EdgeSpec edge_of(const Heads& heads, wire::WireDtype dtype = wire::WireDtype::kSame) {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kHeads;
  for (std::size_t l = 0; l < heads.size(); ++l)
    if (!heads[l].empty()) edge.layers.heads.push_back({.layer = static_cast<int>(l), .heads = heads[l]});
  edge.wire = dtype;
  return edge;
}

wire::EdgeSpec all_layers() {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  return edge;
}

std::vector<std::int64_t> ids(std::int64_t count, std::int64_t seed) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back((i * 71 + seed) % 500);
  return all;
}

ExchangeResult share(const llm::Model& model, const wire::EdgeSpec& edge, std::int64_t context = 41, int senders = 1) {
  ExchangeRequest request;
  for (int sender = 0; sender < senders; ++sender) request.sender_ids.push_back(ids(context, 5 + 3 * sender));
  request.receiver_ids = ids(13, 9);
  request.edge = edge;
  request.max_tokens = 8;
  return exchange(model, model, request);
}

Heads random_heads(std::size_t layers, std::mt19937& random) {
  Heads heads(layers);
  for (std::vector<int>& one : heads)
    for (int head = 0; head < kKvHeads; ++head)
      if (random() % 2 == 0) one.push_back(head);
  return heads;
}

}  // namespace

TEST_CASE("any selection of KV heads agrees with a dense mask for each head in one double-precision model to 1e-4") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  std::mt19937 random(18);
  std::vector<Heads> all = {{{}, {}, {}, {}}, {{0}, {0}, {0}, {0}}, {{1}, {}, {0, 1}, {1}}, {{0, 1}, {}, {}, {0}}};
  for (int i = 0; i < 12; ++i) all.push_back(random_heads(4, random));
  for (const Heads& heads : all) {
    const at::Tensor want = reference.logits_of_heads(ids(41, 5), ids(13, 9), heads);
    CHECK(distance(share(model, edge_of(heads)).logits, want) < 1e-4);
  }
}

TEST_CASE("a context of several chunks shares its heads as a dense mask says") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Heads heads = {{}, {1}, {0}, {0, 1}};
  const at::Tensor want = DenseReference(golden_llama()).logits_of_heads(ids(150, 5), ids(13, 9), heads);
  CHECK(distance(share(model, edge_of(heads), 150).logits, want) < 1e-4);
}

TEST_CASE("every head of every layer written out is all layers, of one sender and of two, bit for bit") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const Heads all(8, {0, 1});
  for (const int senders : {1, 2}) {
    const ExchangeResult by_head = share(model, edge_of(all), 30, senders),
                         whole = share(model, all_layers(), 30, senders);
    CHECK(at::equal(by_head.logits, whole.logits));
    CHECK(by_head.greedy == whole.greedy);
    CHECK(by_head.bytes == whole.bytes);
  }
}

TEST_CASE("heads of two senders are told apart: a head that neither shares sees the sink alone of both") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  // With no head shared the second sender's tokens are nowhere, but for the positions that they take.
  const at::Tensor none = share(model, edge_of(Heads(8)), 30, 2).logits;
  const at::Tensor one = share(model, edge_of({{}, {}, {}, {1}, {}, {}, {}, {}}), 30, 2).logits;
  const at::Tensor both = share(model, edge_of({{}, {}, {}, {0, 1}, {}, {}, {}, {}}), 30, 2).logits;
  wire::EdgeSpec layer = edge_of({{}, {}, {}, {0, 1}, {}, {}, {}, {}});
  layer.layers.heads[0].heads.clear();  // all of them
  CHECK(at::equal(both, share(model, layer, 30, 2).logits));
  CHECK(distance(none, one) > 1e-3);
  CHECK(distance(one, both) > 1e-3);
}

TEST_CASE("heads that travel in fewer bits come close to those that travel as they are, in fewer bytes") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const Heads heads = {{0}, {}, {0, 1}, {1}, {}, {1}, {0}, {}};
  const ExchangeResult exact = share(model, edge_of(heads), 200);
  std::uint64_t bytes = exact.bytes;
  for (const auto& [dtype, error] : {std::pair(wire::WireDtype::kBFloat16, 0.02),
                                     std::pair(wire::WireDtype::kInt8, 0.03), std::pair(wire::WireDtype::kInt4, 0.4)}) {
    const ExchangeResult got = share(model, edge_of(heads, dtype), 200);
    CHECK((got.logits - exact.logits).norm().item<double>() / exact.logits.norm().item<double>() < error);
    CHECK(got.bytes < bytes);
    bytes = got.bytes;
  }
}

TEST_CASE("half of the heads take half of the bytes") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const auto half = static_cast<double>(share(model, edge_of(Heads(8, {1})), 400).bytes);
  CHECK(half / static_cast<double>(share(model, all_layers(), 400).bytes) == Approx(0.5).margin(0.03));
}

TEST_CASE("a KV head that the receiver does not have is refused with the numbers") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  CHECK_THROWS_WITH(share(model, edge_of({{}, {0, 2}})),
                    Catch::Contains("KV head 2 of layer 1") && Catch::Contains("0 to 1"));
}
