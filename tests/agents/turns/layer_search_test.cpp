#include "agents/turns/layer_search.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "base/error.hpp"
#include "llm/decode/target_nats.hpp"
#include "llm/host.hpp"
#include "tests/support/dense_reference.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;

namespace {

using Ids = std::vector<std::int64_t>;

const Ids kFirst = {5, 77, 131, 9, 250, 31, 12}, kSecond = {300, 44, 8, 21}, kPrompt = {17, 3, 40, 211, 6};

llm::KvCache read(const llm::Model& model, const Ids& ids) {
  llm::KvCache cache = model.make_cache(1);
  model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kNone}, cache);
  return cache;
}

/// Behind the first sender's rows the second one's, which read behind them; the prompt comes behind both. At a layer
/// that an edge does not share none of its rows stand there, save the very first of all.
llm::KvCache shared(const llm::Model& model, const std::set<int>& first, const std::set<int>& second) {
  Ids both = kFirst;
  both.insert(both.end(), kSecond.begin(), kSecond.end());
  const llm::KvCache from = read(model, both);
  const auto split = static_cast<std::int64_t>(kFirst.size()), end = static_cast<std::int64_t>(both.size());
  llm::KvCache cache = model.make_cache(1);
  for (int l = 0; l < cache.layers(); ++l) {
    llm::LayerCache& layer = cache.layer(l);
    const auto take = [&](std::int64_t begin, std::int64_t stop) {
      Ids positions;
      for (std::int64_t p = begin; p < stop; ++p) positions.push_back(p);
      layer.append(from.layer(l).keys().narrow(0, begin, stop - begin),
                   from.layer(l).values().narrow(0, begin, stop - begin), positions);
    };
    take(0, first.contains(l) ? split : 1);
    if (second.contains(l)) take(split, end);
    layer.shared_rows = layer.length();
    layer.next_position = end;
  }
  return cache;
}

double nats(const llm::Model& model, const std::set<int>& first, const std::set<int>& second, const Ids& target) {
  llm::KvCache cache = shared(model, first, second);
  const at::Tensor logits = model.forward({.embeddings = model.embed(kPrompt)}, cache).logits;
  return llm::best_target(model, cache, logits, {{target}}).nats;
}

SearchSample sample(const llm::Model& model, const Ids& target) {
  const std::set<int> all = {0, 1, 2, 3};
  const llm::KvCache cache = shared(model, all, all);
  const auto own = static_cast<std::int64_t>(kPrompt.size() + target.size()) - 1;
  std::vector<llm::LayerCache> layers;
  for (int l = 0; l < cache.layers(); ++l) layers.push_back(cache.layer(l).shared_alone(own));
  const auto split = static_cast<std::int64_t>(kFirst.size()), end = split + static_cast<std::int64_t>(kSecond.size());
  return {.shared = llm::KvCache(std::move(layers)),
          .rows = {std::vector<llm::RowRange>(4, {0, split}), std::vector<llm::RowRange>(4, {split, end})},
          .prompt = model.embed(kPrompt),
          .target = target,
          .attention = {{0.1, 0.4, 0.3, 0.2}, {0.1, 0.2, 0.3, 0.4}}};
}

struct Edges {
  explicit Edges(const llm::Model& model) {
    first.spec = {.from = "one", .to = "solver"};
    second.spec = {.from = "two", .to = "solver"};
    first.sender = second.sender = llm::manifest_of(model.config());
  }
  std::vector<const InboundEdge*> both() const { return {&first, &second}; }
  InboundEdge first, second;
};

}  // namespace

TEST_CASE("each set on a search's path costs what a plain forward behind exactly those rows costs") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Edges edges(model);
  const std::set<int> all = {0, 1, 2, 3};
  const Ids target = {60, 2, 130};
  std::vector<SearchSample> samples;
  samples.push_back(sample(model, target));
  for (std::size_t edge : {0, 1}) {
    const bus::EdgeScores found = search_layers(model, edges.both(), edge, samples, {});
    CHECK(found.from == (edge == 0 ? "one" : "two"));
    REQUIRE(found.path.size() == 5);
    for (const bus::SharedLayers& set : found.path) {
      const std::set<int> layers(set.layers.begin(), set.layers.end());
      const double by_hand = edge == 0 ? nats(model, layers, all, target) : nats(model, all, layers, target);
      CHECK(set.loss == Approx(by_hand).margin(1e-4));
      // Four layers are few enough to try all sets of that size.
      for (unsigned bits = 0; bits < 16; ++bits) {
        std::set<int> other;
        for (int l = 0; l < 4; ++l)
          if (bits >> l & 1U) other.insert(l);
        if (other.size() != layers.size()) continue;
        const double loss = edge == 0 ? nats(model, other, all, target) : nats(model, all, other, target);
        CHECK(set.loss <= loss + 1e-4);
      }
    }
  }
}

TEST_CASE("each set of heads on a search's path costs what plain attention with a mask for each head says") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  Edges edges(model);
  edges.first.spec.layers.unit = wire::Unit::kHead;
  const Ids target = {60, 2, 130};
  Ids own = kPrompt;
  own.insert(own.end(), target.begin(), target.end());
  SearchSample alone = sample(model, target);
  const auto rows = static_cast<std::int64_t>(kFirst.size());
  const llm::KvCache cache = read(model, kFirst);
  std::vector<llm::LayerCache> layers;
  for (int l = 0; l < cache.layers(); ++l) {
    llm::LayerCache layer = cache.layer(l).copy();
    layer.shared_rows = rows;
    layers.push_back(layer.shared_alone(static_cast<std::int64_t>(own.size())));
  }
  alone.shared = llm::KvCache(std::move(layers));
  alone.rows = {std::vector<llm::RowRange>(4, {0, rows})};
  std::vector<SearchSample> samples;
  samples.push_back(std::move(alone));
  const bus::EdgeScores found = search_layers(model, {&edges.first}, 0, samples, {});
  CHECK(found.heads == 2);
  REQUIRE(found.path.size() == 9);
  for (const bus::SharedLayers& set : found.path) {
    std::vector<std::vector<int>> heads(4);
    for (const int head : set.layers) heads[static_cast<std::size_t>(head / 2)].push_back(head % 2);
    const at::Tensor expected = reference.logits_of_heads(kFirst, own, heads).to(at::kDouble).log_softmax(-1);
    double nats = 0;
    for (std::size_t i = kPrompt.size(); i < own.size(); ++i)
      nats -= expected[static_cast<std::int64_t>(i) - 1][own[i]].item<double>();
    CHECK(set.loss == Approx(nats).margin(1e-4));
  }
  for (std::size_t i = 0; i < found.by_attention.size(); ++i)  // of layers, as without heads
    CHECK(found.by_attention[i].layers.back() < 4);
}

TEST_CASE("the last records do not choose but check") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Edges edges(model);
  const std::set<int> all = {0, 1, 2, 3};
  const std::vector<Ids> targets = {{60, 2, 130}, {99}, {7, 8}, {250, 3}};
  std::vector<SearchSample> samples;
  for (const Ids& target : targets) samples.push_back(sample(model, target));
  const bus::EdgeScores found = search_layers(model, edges.both(), 0, samples, {});
  CHECK(found.checks == 1);
  for (const auto* sets : {&found.path, &found.by_attention}) {
    for (const bus::SharedLayers& set : *sets) {
      const std::set<int> layers(set.layers.begin(), set.layers.end());
      double chose = 0;
      for (std::size_t i = 0; i < 3; ++i) chose += nats(model, layers, all, targets[i]) / 3;
      CHECK(set.loss == Approx(chose).margin(1e-4));
      CHECK(set.checked == Approx(nats(model, layers, all, targets[3])).margin(1e-4));
    }
  }
}

TEST_CASE("beside its path a search says what attention's choice costs, layer 0 in each of its sets") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Edges edges(model);
  std::vector<SearchSample> samples;
  samples.push_back(sample(model, {60, 2}));
  const auto by_attention = search_layers(model, edges.both(), 0, samples, {}).by_attention;
  REQUIRE(by_attention.size() == 4);  // the step that takes layer 0 itself adds nothing
  CHECK(by_attention[0].layers == std::vector<int>{0});
  CHECK(by_attention[1].layers == std::vector<int>{0, 1});
  CHECK(by_attention[3].layers == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a search ends as soon as it is refused") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const Edges edges(model);
  std::vector<SearchSample> samples;
  samples.push_back(sample(model, {60, 2}));
  int asked = 0;
  const SearchHooks hooks{.refuse_if_over =
                              [&] {
                                if (++asked == 6) throw std::runtime_error("the request was cancelled");
                              },
                          .progress = nullptr};
  CHECK_THROWS_WITH(search_layers(model, edges.both(), 0, samples, hooks), "the request was cancelled");
  CHECK(asked == 6);
}

TEST_CASE("samples are gathered in their order, within a bound, and a new calibration forgets the last") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const std::size_t bytes = sample(model, {60, 2}).bytes();
  SearchSamples samples(2 * bytes);
  const auto task = [](int sample) {
    bus::Task one;
    one.sample = sample;
    one.samples = 3;
    return one;
  };
  samples.add(task(0), sample(model, {60, 2}));
  CHECK_THROWS_WITH(samples.add(task(2), sample(model, {60, 2})), Catch::Contains("record 2 is missing"));
  samples.add(task(1), sample(model, {60, 2}));
  CHECK_THROWS_WITH(samples.add(task(2), sample(model, {60, 2})),
                    Catch::Contains(std::to_string(3 * bytes)) && Catch::Contains("--samples"));
  samples.add(task(0), sample(model, {60, 2}));
  CHECK_FALSE(samples.complete(task(0)));
  CHECK(samples.take().size() == 1);
}
