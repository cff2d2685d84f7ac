#include "llm/decode/share_trials.hpp"

#include <algorithm>
#include <stdexcept>

#include "llm/decode/target_nats.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

using Ids = std::vector<std::int64_t>;
using Mask = ShareTrials::Mask;

/// A question behind a context, with the answer that is to be said.
struct Question {
  Ids context, prompt, answer;
};
const std::vector<Question> kQuestions{{{5, 77, 131, 9, 250, 31, 12, 300, 44, 8},
                                        {17, 3, 40, 211, 6},
                                        {60, 2, 130, 77}},
                                       {{9, 8, 7, 6, 5, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {99}},
                                       {{250, 3, 3, 141, 8, 21, 2}, {30}, {11, 12}}};

KvCache read(const Model& model, const Ids& ids) {
  KvCache cache = model.make_cache(1);
  model.forward({.embeddings = model.embed(ids), .logits = LogitRows::kNone}, cache);
  return cache;
}

/// Rows of `from` for a receiver: all of them where `mask` says so, elsewhere the first alone.
KvCache cut_by_hand(const Model& model, const KvCache& from, const Mask& mask) {
  KvCache cache = model.make_cache(1);
  for (int l = 0; l < cache.layers(); ++l) {
    const LayerCache& all = from.layer(l);
    const std::int64_t rows = mask[static_cast<std::size_t>(l)] ? all.length() : 1;
    Ids positions = all.positions();
    positions.resize(static_cast<std::size_t>(rows));
    LayerCache& layer = cache.layer(l);
    layer.append(all.keys().narrow(0, 0, rows), all.values().narrow(0, 0, rows), positions);
    layer.shared_rows = rows;
    layer.next_position = all.length();
  }
  return cache;
}

/// By a plain forward over such a cache.
double nats_by_hand(const Model& model, const Question& question, const Mask& mask) {
  KvCache cache = cut_by_hand(model, read(model, question.context), mask);
  const at::Tensor logits = model.forward({.embeddings = model.embed(question.prompt)}, cache).logits;
  return best_target(model, cache, logits, {{question.answer}}).nats;
}

TrialPrompt trial(const Model& model, const Question& question) {
  const auto layers = static_cast<std::size_t>(model.config().num_hidden_layers);
  const KvCache whole = cut_by_hand(model, read(model, question.context), Mask(layers, true));
  Ids said = question.prompt;
  said.insert(said.end(), question.answer.begin(), question.answer.end() - 1);
  const auto own = static_cast<std::int64_t>(said.size());
  std::vector<LayerCache> all, sinks;
  std::vector<RowRange> left_out;
  for (int l = 0; l < whole.layers(); ++l) {
    all.push_back(whole.layer(l).shared_alone(own));
    left_out.push_back({1, whole.layer(l).shared_rows});
    sinks.push_back(whole.layer(l).shared_alone(own, 1, whole.layer(l).shared_rows));
  }
  return {KvCache(std::move(all)), KvCache(std::move(sinks)), model.embed(said), question.answer, std::move(left_out)};
}

ShareTrials trials(const Model& model) {
  std::vector<TrialPrompt> prompts;
  for (const Question& question : kQuestions) prompts.push_back(trial(model, question));
  return {model, std::move(prompts), [](std::int64_t) {}};
}

std::vector<Mask> all_masks(std::size_t layers) {
  std::vector<Mask> masks;
  for (std::size_t bits = 0; bits < std::size_t{1} << layers; ++bits) {
    Mask mask;
    for (std::size_t l = 0; l < layers; ++l) mask.push_back((bits >> l & 1U) != 0);
    masks.push_back(mask);
  }
  return masks;
}

void check_all_masks(const Model& model) {
  const std::vector<Mask> masks = all_masks(static_cast<std::size_t>(model.config().num_hidden_layers));
  ShareTrials tried = trials(model);
  const auto nats = tried.nats(masks.back(), masks, 0, kQuestions.size());
  for (std::size_t m = 0; m < masks.size(); ++m)
    for (std::size_t q = 0; q < kQuestions.size(); ++q)
      REQUIRE(nats[m][q] == Approx(nats_by_hand(model, kQuestions[q], masks[m])).margin(1e-4));
}

}  // namespace

TEST_CASE("a trial costs what a plain forward over a cache cut by hand costs, for every mask of every checkpoint") {
  for (const auto& dir : golden_checkpoints()) {
    INFO(dir);
    check_all_masks(Model::load(dir, {.dtype = "fp32"}));
  }
}

TEST_CASE("a trial costs what plain attention with masks, in double, says") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  ShareTrials tried = trials(model);
  for (const std::vector<int>& shared : {std::vector<int>{}, {2}, {1, 3}, {1, 2, 3}}) {
    Mask mask(4, false);
    mask[0] = true;  // the reference always shares it
    for (const int layer : shared) mask[static_cast<std::size_t>(layer)] = true;
    const Question& question = kQuestions[0];
    Ids own = question.prompt;
    own.insert(own.end(), question.answer.begin(), question.answer.end());
    const at::Tensor expected = reference.logits(question.context, own, shared).to(at::kDouble).log_softmax(-1);
    double nats = 0;
    for (std::size_t i = question.prompt.size(); i < own.size(); ++i)
      nats -= expected[static_cast<std::int64_t>(i) - 1][own[i]].item<double>();
    CHECK(tried.nats(Mask(4, true), {&mask, 1}, 0, 1)[0][0] == Approx(nats).margin(1e-4));
  }
}

TEST_CASE("a trial of single heads costs what plain attention with a mask for each head, in double, says") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  const Question& question = kQuestions[0];
  Ids own = question.prompt;
  own.insert(own.end(), question.answer.begin(), question.answer.end());
  ShareTrials tried = trials(model);
  std::vector<Mask> masks = {Mask(8, true), Mask(8, false)};
  for (const unsigned bits : {0x01U, 0x6cU, 0x93U, 0x80U, 0x7fU}) {
    Mask& mask = masks.emplace_back();
    for (unsigned head = 0; head < 8; ++head) mask.push_back((bits >> head & 1U) != 0);
  }
  for (const Mask& base : masks) {
    const auto nats = tried.nats(base, masks, 0, 1);
    for (std::size_t m = 0; m < masks.size(); ++m) {
      std::vector<std::vector<int>> heads(4);
      for (std::size_t part = 0; part < 8; ++part)
        if (masks[m][part]) heads[part / 2].push_back(static_cast<int>(part % 2));
      const at::Tensor expected =
          reference.logits_of_heads(question.context, own, heads).to(at::kDouble).log_softmax(-1);
      double want = 0;
      for (std::size_t i = question.prompt.size(); i < own.size(); ++i)
        want -= expected[static_cast<std::int64_t>(i) - 1][own[i]].item<double>();
      REQUIRE(nats[m][0] == Approx(want).margin(1e-4));
    }
  }
}

TEST_CASE("trials are the same whatever base they start from, and in whatever company") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  const std::vector<Mask> masks = all_masks(4);
  ShareTrials tried = trials(model);
  for (const Mask& base : masks) {
    const auto together = tried.nats(base, masks, 0, kQuestions.size());
    for (std::size_t m = 0; m < masks.size(); ++m) {
      const auto alone = tried.nats(base, {&masks[m], 1}, 1, 1);
      REQUIRE(alone[0][0] == Approx(together[m][1]).margin(1e-4));
      REQUIRE(together[m][2] == Approx(nats_by_hand(model, kQuestions[2], masks[m])).margin(1e-4));
    }
  }
}

TEST_CASE("what a trial's batch is told before a layer ends it") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  std::vector<TrialPrompt> prompts;
  prompts.push_back(trial(model, kQuestions[0]));
  int layers = 0;
  ShareTrials tried(model, std::move(prompts), [&](std::int64_t rows) {
    CHECK(rows == 8);  // the prompt, and the answer but its last token
    if (++layers == 3) throw std::runtime_error("cancelled");
  });
  const Mask all(4, true);
  CHECK_THROWS_WITH(tried.nats(all, {&all, 1}, 0, 1), "cancelled");
  CHECK(tried.nats(all, {&all, 1}, 0, 1)[0][0] == Approx(nats_by_hand(model, kQuestions[0], all)).margin(1e-4));
}

TEST_CASE("rows that are left out leave the rest where it stands") {
  const Model model = Model::load(golden_llama(), {.dtype = "fp32"});
  KvCache cache = cut_by_hand(model, read(model, kQuestions[0].context), Mask(4, true));
  model.forward({.embeddings = model.embed(kQuestions[0].prompt)}, cache);
  const LayerCache& layer = cache.layer(2);
  const LayerCache rest = layer.shared_alone(/*own_rows=*/3, 1, 6);
  CHECK(rest.positions() == Ids{0, 6, 7, 8, 9});
  CHECK(rest.shared_rows == 5);
  CHECK(rest.next_position == 10);
  CHECK(rest.key_store().size(0) == 8);
  CHECK(at::equal(rest.keys().narrow(0, 1, 4), layer.keys().narrow(0, 6, 4)));
  CHECK(at::equal(rest.values().narrow(0, 0, 1), layer.values().narrow(0, 0, 1)));
}
