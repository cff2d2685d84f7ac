// KV sharing against golden vectors and against an independent formulation: one model, a dense mask.

#include <algorithm>
#include <cmath>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/layer_selection.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using agents::exchange;
using agents::ExchangeRequest;

namespace {

wire::EdgeSpec kv_edge(std::vector<int> layers) {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
  edge.layers.layers = std::move(layers);
  return edge;
}

wire::EdgeSpec all_layers() {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  return edge;
}

ExchangeRequest request(std::vector<std::int64_t> sender, std::vector<std::int64_t> receiver, wire::EdgeSpec edge) {
  ExchangeRequest request;
  request.sender_ids = {std::move(sender)};
  request.receiver_ids = std::move(receiver);
  request.edge = std::move(edge);
  return request;
}

}  // namespace

TEST_CASE("sharing all layers equals one model that reads the concatenated tokens to 1e-4") {
  for (const auto& dir : {golden_llama(), tiny_model()}) {
    const llm::Model model = llm::Model::load(dir, {.dtype = "fp32"});
    std::vector<std::int64_t> context, query;
    for (std::int64_t i = 0; i < 37; ++i) context.push_back((i * 53 + 7) % 500);
    for (std::int64_t i = 0; i < 19; ++i) query.push_back((i * 29 + 3) % 500);
    const at::Tensor got = exchange(model, model, request(context, query, all_layers())).logits;
    std::vector<std::int64_t> both = context;
    both.insert(both.end(), query.begin(), query.end());
    llm::KvCache cache = model.make_cache(1);
    const at::Tensor want =
        model.forward({.embeddings = model.embed(both), .logits = llm::LogitRows::kAll}, cache).logits;
    CHECK(distance(got, want.narrow(0, 37, 19)) < 1e-4);
  }
}

TEST_CASE("any selection of layers agrees with a dense mask in one double-precision model to 1e-4") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  std::vector<std::int64_t> context, query;
  for (std::int64_t i = 0; i < 41; ++i) context.push_back((i * 71 + 5) % 512);
  for (std::int64_t i = 0; i < 13; ++i) query.push_back((i * 17 + 9) % 512);
  for (int bits = 0; bits < 16; ++bits) {
    std::vector<int> layers;
    for (int l = 0; l < 4; ++l)
      if (bits >> l & 1) layers.push_back(l);
    CAPTURE(layers);
    const at::Tensor got = exchange(model, model, request(context, query, kv_edge(layers))).logits;
    CHECK(distance(got, reference.logits(context, query, layers)) < 1e-4);
  }
}

TEST_CASE("shared KV at the golden selections gives the reference's logits, argmax and answers") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const auto stop = llm::read_stop_tokens(tiny_model());
  for (const auto& golden : read_list(source_dir() / "tests/golden/tiny.json", "kvcomm")) {
    for (const auto& want : golden["cases"]) {
      ExchangeRequest asked = request(ids_of(golden["sender_ids"]), ids_of(golden["receiver_ids"]),
                                      kv_edge(want["layers"].get<std::vector<int>>()));
      asked.max_tokens = 12;
      asked.stop_tokens = stop;
      const auto got = exchange(model, model, asked);
      CHECK(argmax_of(got.logits) == ids_of(want["argmax"]));
      CHECK(distance(got.logits.select(0, got.logits.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
      CHECK(got.greedy == ids_of(want["greedy"]));
    }
  }
}

TEST_CASE("calibration scores and every golden ranking are the reference's") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  for (const auto& golden : read_list(source_dir() / "tests/golden/tiny.json", "kvcomm")) {
    const auto got =
        exchange(model, model, request(ids_of(golden["sender_ids"]), ids_of(golden["receiver_ids"]), all_layers()));
    REQUIRE(got.scores.size() == 1);
    const auto want = golden["scores"].get<std::vector<double>>();
    for (std::size_t l = 0; l < want.size(); ++l) CHECK(got.scores[0][l] == Approx(want[l]).margin(1e-4));
    for (const auto& [name, ranking] : golden["rankings"].items()) {
      double alpha = 0, mu = 0, sigma = 0;
      REQUIRE(std::sscanf(name.c_str(), "alpha=%lf,mu=%lf,sigma=%lf", &alpha, &mu, &sigma) == 3);
      CAPTURE(name);
      CHECK(kvcodec::rank_layers(kvcodec::layer_scores(got.scores[0], alpha, mu, sigma)) ==
            ranking.get<std::vector<int>>());
    }
  }
}

TEST_CASE("the released code's results are matched where its mask is causal or reproduced") {
  for (const auto& dir : golden_checkpoints()) {
    const llm::Model model = llm::Model::load(dir, {.dtype = "fp32"});
    for (const auto& want : read_list(dir / "golden.json", "kvcomm")) {
      wire::EdgeSpec edge = kv_edge(want["layers_list"].get<std::vector<int>>());
      const bool compact = want["shift_back"].get<bool>();
      edge.positions = compact ? wire::Positions::kCompact : wire::Positions::kContinue;
      edge.mask = compact ? wire::Mask::kCausal : wire::Mask::kAuthors;
      CAPTURE(dir, want["layers_list"].dump(), compact);
      const at::Tensor got = exchange(model, model, request(ids_of(want["ids_A"]), ids_of(want["ids_B"]), edge)).logits;
      CHECK(argmax_of(got) == ids_of(want["argmax"]));
      CHECK(distance(got.select(0, got.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
    }
  }
}
