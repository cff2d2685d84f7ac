// Every family against Hugging Face transformers, on checkpoints that transformers wrote (tests/golden/transformers).

#include "agents/exchange.hpp"
#include "llm/decode/generate.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

struct Golden {
  std::filesystem::path dir;
  nlohmann::json want;
  Model load() const { return Model::load(dir, {.dtype = "fp32"}); }
};

std::vector<Golden> goldens() {
  std::vector<Golden> found;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "tests" / "golden" / "transformers"))
    if (entry.is_directory()) found.push_back({entry.path(), read_json(entry.path() / "golden.json")});
  REQUIRE(found.size() == 8);
  return found;
}

}  // namespace

TEST_CASE("windows, RoPE scalings, Qwen3 and Gemma give transformers' logits to 1e-4") {
  for (const Golden& golden : goldens()) {
    INFO(golden.dir);
    const Model model = golden.load();
    KvCache cache = model.make_cache(1);
    const at::Tensor logits =
        model.forward({.embeddings = model.embed(ids_of(golden.want["ids"])), .logits = LogitRows::kAll}, cache).logits;
    for (const auto& [position, row] : golden.want["logits_at"].items())
      CHECK(distance(logits.select(0, std::stoi(position)), tensor_of(row)) < 1e-4);
    CHECK(distance(logits.logsumexp(-1), tensor_of(golden.want["logsumexp"])) < 1e-4);
    CHECK(argmax_of(logits) == ids_of(golden.want["argmax"]));
  }
}

TEST_CASE("windows, RoPE scalings, Qwen3 and Gemma continue a text as transformers does, token for token") {
  for (const Golden& golden : goldens()) {
    if (!golden.want.contains("greedy_from_first_20")) continue;
    INFO(golden.dir);
    const Model model = golden.load();
    auto ids = ids_of(golden.want["ids"]);
    ids.resize(20);
    KvCache cache = model.make_cache(1);
    const at::Tensor logits = model.forward({.embeddings = model.embed(ids)}, cache).logits;
    CHECK(generate(model, cache, logits, {.max_tokens = 16}) == ids_of(golden.want["greedy_from_first_20"]));
  }
}

TEST_CASE("what a receiver of every family makes of shared layers is what transformers makes of the mask") {
  for (const Golden& golden : goldens()) {
    if (!golden.want.contains("share")) continue;
    const Model model = golden.load();
    for (const auto& want : golden.want["share"]) {
      INFO(golden.dir << " layers " << want["layers"]);
      agents::ExchangeRequest request;
      request.sender_ids = {ids_of(want["sender_ids"])};
      request.receiver_ids = ids_of(want["receiver_ids"]);
      request.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
      request.edge.layers.layers = want["layers"].get<std::vector<int>>();
      const at::Tensor got = agents::exchange(model, model, request).logits;
      CHECK(argmax_of(got) == ids_of(want["argmax"]));
      CHECK(distance(got.select(0, got.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
    }
  }
}
