#include "llm/model/model.hpp"

#include "llm/decode/generate.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

at::Tensor all_logits(const Model& model, const std::vector<std::int64_t>& ids) {
  KvCache cache = model.make_cache(1);
  return model.forward({.embeddings = model.embed(ids), .logits = LogitRows::kAll}, cache).logits;
}

std::vector<std::int64_t> greedy(const Model& model, const std::vector<std::int64_t>& ids, int max_tokens,
                                 std::vector<std::int64_t> stop = {}) {
  KvCache cache = model.make_cache(1);
  const auto output = model.forward({.embeddings = model.embed(ids)}, cache);
  return generate(model, cache, output.logits, {.max_tokens = max_tokens, .stop_tokens = std::move(stop)});
}

}  // namespace

TEST_CASE("logits of random Llama, Qwen2 and Mistral checkpoints match transformers to 1e-4") {
  for (const auto& dir : golden_checkpoints()) {
    INFO(dir);
    const Model model = Model::load(dir, {.dtype = "fp32"});
    const auto golden = read_json(dir / "golden.json");
    const at::Tensor logits = all_logits(model, ids_of(golden["ids"]));
    for (const auto& [position, row] : golden["logits_at"].items())
      CHECK(distance(logits.select(0, std::stoi(position)), tensor_of(row)) < 1e-4);
    CHECK(distance(logits.logsumexp(-1), tensor_of(golden["logsumexp"])) < 1e-4);
    CHECK(argmax_of(logits) == ids_of(golden["argmax"]));
  }
}

TEST_CASE("greedy decoding of random Llama, Qwen2 and Mistral checkpoints matches transformers token for token") {
  for (const auto& dir : golden_checkpoints()) {
    INFO(dir);
    const Model model = Model::load(dir, {.dtype = "fp32"});
    const auto golden = read_json(dir / "golden.json");
    auto ids = ids_of(golden["ids"]);
    ids.resize(20);
    CHECK(greedy(model, ids, 16) == ids_of(golden["greedy_from_first_20"]));
  }
}

TEST_CASE("logits and answers of the demo model match the independent reference to 1e-4") {
  const Model model = Model::load(tiny_model(), {.dtype = "fp32"});
  for (const auto& golden : read_list(source_dir() / "tests/golden/tiny.json", "logits")) {
    const auto ids = ids_of(golden["ids"]);
    const at::Tensor logits = all_logits(model, ids);
    CHECK(argmax_of(logits) == ids_of(golden["argmax"]));
    CHECK(distance(logits.logsumexp(-1), tensor_of(golden["logsumexp"])) < 1e-4);
    CHECK(distance(logits.select(0, logits.size(0) - 1), tensor_of(golden["last_logits"])) < 1e-4);
    CHECK(greedy(model, ids, 16, read_stop_tokens(tiny_model())) == ids_of(golden["greedy"]));
  }
}

TEST_CASE("prefill in one run, in chunks and token by token give the same logits") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const auto ids = ids_of(read_json(golden_llama() / "golden.json")["ids"]);
  const at::Tensor whole = all_logits(model, ids);
  KvCache cache = model.make_cache(1);
  std::vector<at::Tensor> rows;
  for (std::int64_t id : ids)
    rows.push_back(model.forward({.embeddings = model.embed({&id, 1}), .phase = Phase::kDecode}, cache).logits);
  CHECK(distance(at::cat(rows), whole) < 1e-4);
}

TEST_CASE("a prompt longer than the prefill chunk gives what token by token gives") {
  const Model model = Model::load(tiny_model(), {.dtype = "fp32"});
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < Model::kPrefillChunk + 70; ++i) ids.push_back((i * 37 + 11) % model.config().vocab_size);
  const at::Tensor chunked = all_logits(model, ids);
  REQUIRE(chunked.size(0) == static_cast<std::int64_t>(ids.size()));
  KvCache cache = model.make_cache(1);
  at::Tensor last;
  for (std::int64_t id : ids)
    last = model.forward({.embeddings = model.embed({&id, 1}), .phase = Phase::kDecode}, cache).logits;
  CHECK(distance(chunked.narrow(0, chunked.size(0) - 1, 1), last) < 1e-3);
}

TEST_CASE("without logits, keys and values are those of a run with them, and nothing behind the last ones is read") {
  const Model whole = Model::load(golden_llama(), {.dtype = "fp32"});
  Weights weights = whole.weights();
  LayerWeights& last = weights.layers.back();
  weights.lm_head = {};
  weights.final_norm = last.mlp_norm = at::Tensor();
  last.out = last.gate_up = last.down = {};
  const Model headless = Model::of(whole.config(), weights);
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < Model::kPrefillChunk + 30; ++i) ids.push_back((i * 37 + 11) % whole.config().vocab_size);
  KvCache with = whole.make_cache(1), without = headless.make_cache(1);
  whole.forward({.embeddings = whole.embed(ids)}, with);
  int layers = 0;
  headless.forward({.embeddings = headless.embed(ids),
                    .logits = LogitRows::kNone,
                    .on_layer = [&](int layer) { layers = layer + 1; }},
                   without);
  CHECK(layers == headless.config().num_hidden_layers);
  for (int l = 0; l < with.layers(); ++l) {
    CHECK(distance(without.layer(l).keys(), with.layer(l).keys()) < 1e-4);
    CHECK(distance(without.layer(l).values(), with.layer(l).values()) < 1e-4);
  }
}

TEST_CASE("bf16 compute stays close to fp32") {
  const Model exact = Model::load(tiny_model(), {.dtype = "fp32"});
  const Model rounded = Model::load(tiny_model(), {.dtype = "bf16"});
  const auto ids = ids_of(read_json(source_dir() / "tests/golden/tiny.json")["logits"][0]["ids"]);
  const at::Tensor want = all_logits(exact, ids), got = all_logits(rounded, ids);
  CHECK((got - want).norm().item<double>() / want.norm().item<double>() < 2e-2);
}

TEST_CASE("keys and values in the cache are token-major and keep their place when the cache grows") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  KvCache cache = model.make_cache(2);
  const std::vector<std::int64_t> first = {1, 2, 3}, second = {4, 5, 6, 7, 8};
  model.forward({.embeddings = model.embed(first), .logits = LogitRows::kNone}, cache);
  const at::Tensor view = cache.layer(1).keys(), before = view.clone();
  model.forward({.embeddings = model.embed(second), .logits = LogitRows::kNone}, cache);
  CHECK(view.is_contiguous());
  CHECK(view.sizes() == at::IntArrayRef({3, model.config().num_key_value_heads, model.config().head_dim}));
  CHECK(distance(view, before) == 0);
  CHECK(distance(cache.layer(1).keys().narrow(0, 0, 3), before) == 0);
  CHECK(cache.layer(1).positions() == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("a layer's cache knows whether its rows stand in the order of their positions") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  KvCache cache = model.make_cache(2);
  LayerCache& rows = cache.layer(0);
  CHECK(rows.in_order());
  rows.extend({0, 1, 5});
  rows.next_position = 6;
  rows.shared_rows = 3;
  rows.extend_own(2);
  CHECK(rows.in_order());
  rows.extend({3});
  CHECK_FALSE(rows.in_order());
  rows.extend_own(1);
  CHECK_FALSE(rows.in_order());
  rows.drop_own(2);
  CHECK(rows.in_order());
  rows.next_position = 2;
  rows.extend_own(1);
  CHECK_FALSE(rows.in_order());
}

TEST_CASE("a token id outside the table is an error that names the id and the table") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const std::vector<std::int64_t> ids = {1, 512};
  CHECK_THROWS_WITH(model.embed(ids), Catch::Contains("512") && Catch::Contains("512 rows"));
}
