#include "llm/decode/target_nats.hpp"

#include "base/error.hpp"
#include "llm/decode/generate.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

using Ids = std::vector<std::int64_t>;

const Ids kSender = {5, 77, 131, 9, 250, 31, 12, 300, 44, 8}, kReceiver = {17, 3, 40, 211, 6};

/// What it costs to say the end of `ids` from `first` on, of the logits of all of them in one run.
double nats_in_one_run(const at::Tensor& logits, const Ids& ids, std::size_t first) {
  const at::Tensor log_softmax = logits.to(at::kDouble).log_softmax(-1);
  double nats = 0;
  for (std::size_t i = first; i < ids.size(); ++i)
    nats -= log_softmax[static_cast<std::int64_t>(i) - 1][ids[i]].item<double>();
  return nats;
}

Ids joined(const Ids& a, const Ids& b) {
  Ids ids = a;
  ids.insert(ids.end(), b.begin(), b.end());
  return ids;
}

/// A prompt that has been read, and what the model expects behind it.
struct Read {
  KvCache cache;
  at::Tensor logits;

  Read(const Model& model, const Ids& prompt, KvCache before) : cache(std::move(before)) {
    logits = model.forward({.embeddings = model.embed(prompt)}, cache).logits;
  }
  Read(const Model& model, const Ids& prompt) : Read(model, prompt, model.make_cache(1)) {}

  double nats(const Model& model, const Ids& target) { return best_target(model, cache, logits, {{target}}).nats; }
};

/// A receiver's cache with the rows of `sender` at layer 0 and at the `shared` ones, elsewhere the first row alone.
KvCache cache_behind(const Model& model, const Ids& sender, const std::vector<int>& shared) {
  const Read read(model, sender);
  KvCache cache = model.make_cache(1);
  for (int l = 0; l < cache.layers(); ++l) {
    const bool whole = l == 0 || std::find(shared.begin(), shared.end(), l) != shared.end();
    const std::int64_t rows = whole ? static_cast<std::int64_t>(sender.size()) : 1;
    const LayerCache& from = read.cache.layer(l);
    Ids positions = from.positions();
    positions.resize(static_cast<std::size_t>(rows));
    LayerCache& layer = cache.layer(l);
    layer.append(from.keys().narrow(0, 0, rows), from.values().narrow(0, 0, rows), positions);
    layer.shared_rows = rows;
    layer.next_position = static_cast<std::int64_t>(sender.size());
  }
  return cache;
}

}  // namespace

TEST_CASE("a target's nats behind a prompt are those of one run over prompt and target") {
  for (const auto& dir : golden_checkpoints()) {
    INFO(dir);
    const Model model = Model::load(dir, {.dtype = "fp32"});
    for (const Ids& target : {Ids{7}, Ids{200, 41}, Ids{3, 3, 99, 150, 21, 8, 77, 301, 12, 5, 6}}) {
      const Ids all = joined(kSender, target);
      KvCache cache = model.make_cache(1);
      const at::Tensor logits =
          model.forward({.embeddings = model.embed(all), .logits = LogitRows::kAll}, cache).logits;
      CHECK(Read(model, kSender).nats(model, target) ==
            Approx(nats_in_one_run(logits, all, kSender.size())).margin(1e-4));
    }
  }
}

TEST_CASE("a target's nats are those that transformers' logits give") {
  const auto golden = source_dir() / "tests/golden";
  for (const char* name : {"llama32-tied-headdim", "qwen2", "mistral-v03", "transformers/llama-llama3",
                           "transformers/qwen3", "transformers/gemma2", "transformers/gemma3"}) {
    INFO(name);
    const Model model = Model::load(golden / name, {.dtype = "fp32"});
    const auto made = read_json(golden / name / "golden.json");
    const Ids ids = ids_of(made["ids"]);
    double nats = 0;  // behind the first token, of the two that follow
    for (std::size_t at : {0, 1})
      nats += made["logsumexp"][at].get<double>() -
              made["logits_at"][std::to_string(at)][static_cast<std::size_t>(ids[at + 1])].get<double>();
    CHECK(Read(model, {ids[0]}).nats(model, {ids[1], ids[2]}) == Approx(nats).margin(1e-4));
  }
}

TEST_CASE("a target's nats behind shared layers are those of plain attention with masks, in double") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  const Ids target = {60, 2, 130, 77};
  for (const std::vector<int>& shared : {std::vector<int>{}, std::vector<int>{2}, std::vector<int>{1, 2, 3}}) {
    Read read(model, kReceiver, cache_behind(model, kSender, shared));
    const Ids own = joined(kReceiver, target);
    CHECK(read.nats(model, target) ==
          Approx(nats_in_one_run(reference.logits(kSender, own, shared), own, kReceiver.size())).margin(1e-4));
  }
}

TEST_CASE("of several targets the one of the fewest nats is named, the first of equal ones") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  Read read(model, kSender), other(model, kSender);
  const Ids said = generate(model, other.cache, other.logits, {.max_tokens = 3});
  const std::vector<Ids> targets = {{9, 9, 9}, said, said, {said[0], 250}};
  const TargetNats best = best_target(model, read.cache, read.logits, targets);
  CHECK(best.which == 1);
  CHECK(best.nats == Approx(read.nats(model, said)));
  for (const Ids& target : targets) CHECK(best.nats <= read.nats(model, target));
}

TEST_CASE("a cache goes on as if no target had been read behind it") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  Read touched(model, kReceiver, cache_behind(model, kSender, {2})),
      untouched(model, kReceiver, cache_behind(model, kSender, {2}));
  best_target(model, touched.cache, touched.logits, {{Ids{4, 5, 6, 7, 8}, Ids{9, 10}}});
  CHECK_THROWS_AS(best_target(model, touched.cache, touched.logits, {{Ids{4, 5}, Ids{9, 512}}}), Error);
  for (int l = 0; l < touched.cache.layers(); ++l) {
    CHECK(touched.cache.layer(l).positions() == untouched.cache.layer(l).positions());
    CHECK(touched.cache.layer(l).next_position == untouched.cache.layer(l).next_position);
  }
  CHECK(generate(model, touched.cache, touched.logits, {.max_tokens = 12}) ==
        generate(model, untouched.cache, untouched.logits, {.max_tokens = 12}));
}

TEST_CASE("a target with an id outside the vocabulary is refused with the id, also as its last token") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  Read read(model, kSender);
  CHECK_THROWS_WITH(read.nats(model, {1, 512}), Catch::Contains("512"));
  CHECK_THROWS_WITH(read.nats(model, {-1}), Catch::Contains("-1"));
}

TEST_CASE("logits that are no numbers give no nats but an error") {
  const at::Tensor logits = at::full({1, 4}, std::nan(""), at::kFloat);
  CHECK_THROWS_WITH(nats_of(logits, Ids{2}), Catch::Contains("not a number"));
}
