#include "agents/turns/layer_search.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <set>
#include <span>
#include <utility>

#include "agents/turns/wire_search.hpp"
#include "base/error.hpp"
#include "kvcodec/layer_map.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/share_search.hpp"
#include "kvcodec/wire/search_cost.hpp"
#include "llm/decode/share_trials.hpp"

namespace kvmesh::agents {
namespace {

using Clock = std::chrono::steady_clock;
using Mask = llm::ShareTrials::Mask;

constexpr std::chrono::seconds kFirstReport{2}, kBetweenReports{10};
/// Sizes at which attention's choice is measured too.
constexpr std::size_t kCompared = 10;

/// To six decimals: sums of the same numbers in another order do not choose.
double rounded(double loss) { return std::round(loss * 1e6) / 1e6; }

/// How far the work on an edge is, in tokens that went through the whole model.
class Work {
 public:
  Work(const SearchHooks& hooks, std::string edge, double planned, int layers)
      : hooks_(hooks), edge_(std::move(edge)), planned_(planned), layers_(layers) {}

  void before_layer(std::int64_t rows) {
    if (hooks_.refuse_if_over) hooks_.refuse_if_over();
    const Clock::time_point now = Clock::now();
    if (hooks_.progress && now >= tell_at_) {
      tell_at_ = now + kBetweenReports;
      const double share = std::min(done_ / planned_, 0.99);
      const double spent = std::chrono::duration<double>(now - began_).count();
      hooks_.progress({.edge = edge_,
                       .percent = static_cast<int>(100 * share),
                       .left_s = spent / std::max(share, 1e-3) * (1 - share)});
    }
    done_ += static_cast<double>(rows) / layers_;
  }

 private:
  const SearchHooks& hooks_;
  const std::string edge_;
  const double planned_;
  const int layers_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point tell_at_ = began_ + kFirstReport;
  double done_ = 0;
};

llm::TrialPrompt trial_of(const llm::Model& model, const SearchSample& sample, std::size_t edge) {
  c10::InferenceMode guard;
  const at::Tensor embeddings = sample.embeddings(model);
  std::vector<llm::LayerCache> whole, reduced;
  std::vector<llm::RowRange> left_out_of;
  for (int l = 0; l < sample.shared.layers(); ++l) {
    const llm::LayerCache& all = sample.shared.layer(l);
    const llm::RowRange out = sample.left_out(edge, l);
    left_out_of.push_back(out);
    whole.push_back(all.view());
    reduced.push_back(all.shared_alone(embeddings.size(0), out.begin, out.end));
  }
  return {llm::KvCache(std::move(whole)), llm::KvCache(std::move(reduced)), embeddings, sample.target,
          std::move(left_out_of)};
}

/// The search of one edge: layers that can be shared at all, or their KV heads, are its units.
class EdgeSearch {
 public:
  EdgeSearch(const llm::Model& model, std::size_t edge, wire::Unit unit, const std::vector<SearchSample>& samples,
             std::function<void(std::int64_t)> before_layer)
      : samples_(samples.size()),
        checks_(static_cast<std::size_t>(wire::checking_records(static_cast<int>(samples_)))),
        choosing_(samples_ - checks_),
        rough_(std::max<std::size_t>(1, choosing_ / 3)),
        layers_(samples.front().shared.layers()),
        of_a_layer_(unit == wire::Unit::kHead ? static_cast<int>(model.config().num_key_value_heads) : 1),
        trials_(model, trials_of(model, edge, samples), std::move(before_layer)) {
    for (int part = 0; part < layers_ * of_a_layer_; ++part)
      if (samples.front().left_out(edge, part / of_a_layer_).count() > 0) units_.push_back(part);
  }

  /// Of `tokens` in all, what is left for choosing, in losses of all choosing records.
  double budget(double tokens) const {
    const double comparing = kCompared * (tokens_of(0, choosing_) + tokens_of(choosing_, checks_));
    const double checking = (static_cast<double>(units_.size()) + 1) * tokens_of(choosing_, checks_);
    return std::max(0.0, tokens - comparing - checking) / tokens_of(0, choosing_);
  }

  std::vector<kvcodec::SharedSet> path(double tokens) {
    return kvcodec::search_shares(
        {.units = static_cast<int>(units_.size()),
         .losses =
             [this](const kvcodec::UnitMask& base, std::span<const kvcodec::UnitMask> masks, kvcodec::Measure measure) {
               const bool full = measure == kvcodec::Measure::kFull;
               return losses(base, masks, 0, full ? choosing_ : rough_);
             },
         .rough_cost = tokens_of(0, rough_) / tokens_of(0, choosing_),
         .budget = budget(tokens),
         .progress = {}});
  }

  /// What sets cost on the records that choose, and on those that check: of layers, or of the search's own parts.
  std::vector<double> chosen_on(const std::vector<bus::SharedLayers>& layers) {
    return losses_of(layers, /*of_a_layer=*/1, 0, choosing_);
  }
  std::vector<double> checked_on(const std::vector<bus::SharedLayers>& layers) {
    return losses_of(layers, /*of_a_layer=*/1, choosing_, checks_);
  }
  std::vector<double> path_checked_on(const std::vector<bus::SharedLayers>& path) {
    return losses_of(path, of_a_layer_, choosing_, checks_);
  }

  /// Layers, or heads as layer * heads + head.
  std::vector<int> parts_of(const std::vector<int>& units) const {
    std::vector<int> parts;
    for (const int unit : units) parts.push_back(units_.at(static_cast<std::size_t>(unit)));
    return parts;
  }
  int heads() const { return of_a_layer_ == 1 ? 0 : of_a_layer_; }
  int checks() const { return static_cast<int>(checks_); }

 private:
  /// Of sets whose numbers count `of_a_layer` parts a layer.
  std::vector<double> losses_of(const std::vector<bus::SharedLayers>& sets, int of_a_layer, std::size_t first,
                                std::size_t count) {
    if (count == 0) return std::vector<double>(sets.size(), 0.0);
    std::vector<Mask> masks;
    const int each = of_a_layer_ / of_a_layer;
    for (const bus::SharedLayers& set : sets) {
      masks.push_back(none());
      for (const int number : set.layers)
        for (int part = number * each; part < (number + 1) * each; ++part)
          masks.back()[static_cast<std::size_t>(part)] = true;
    }
    Mask all = none();
    all.flip();
    return mean(trials_.nats(all, masks, first, count));
  }

  Mask none() const { return Mask(static_cast<std::size_t>(layers_ * of_a_layer_)); }

  static std::vector<llm::TrialPrompt> trials_of(const llm::Model& model, std::size_t edge,
                                                 const std::vector<SearchSample>& samples) {
    std::vector<llm::TrialPrompt> trials;
    for (const SearchSample& sample : samples) trials.push_back(trial_of(model, sample, edge));
    return trials;
  }

  double tokens_of(std::size_t first, std::size_t count) const {
    return static_cast<double>(trials_.tokens(first, count));
  }

  static std::vector<double> mean(const std::vector<std::vector<double>>& nats) {
    std::vector<double> means;
    for (const std::vector<double>& one : nats)
      means.push_back(rounded(std::accumulate(one.begin(), one.end(), 0.0) / static_cast<double>(one.size())));
    return means;
  }

  Mask mask_of(const kvcodec::UnitMask& units) const {
    Mask mask = none();
    for (std::size_t u = 0; u < units.size(); ++u) mask[static_cast<std::size_t>(units_[u])] = units[u];
    return mask;
  }

  std::vector<double> losses(const kvcodec::UnitMask& base, std::span<const kvcodec::UnitMask> masks, std::size_t first,
                             std::size_t count) {
    std::vector<Mask> parts;
    for (const kvcodec::UnitMask& mask : masks) parts.push_back(mask_of(mask));
    return mean(trials_.nats(mask_of(base), parts, first, count));
  }

  const std::size_t samples_, checks_, choosing_, rough_;
  const int layers_;
  const int of_a_layer_;    ///< parts that are shared or not: 1, or KV heads
  std::vector<int> units_;  ///< those that can be
  llm::ShareTrials trials_;
};

/// The best layers by attention, from none to all in kCompared steps, with what counts as layer 0 besides; each set is
/// larger than the one before.
std::vector<bus::SharedLayers> sets_by_attention(const InboundEdge& wiring, std::size_t edge,
                                                 const std::vector<SearchSample>& samples) {
  const wire::LayerChoice& choice = wiring.spec.layers;
  const std::vector<double> mean = mean_attention(samples, edge);
  const std::vector<int> ranking =
      kvcodec::rank_layers(kvcodec::layer_scores(mean, choice.alpha, choice.mu, choice.sigma));
  const kvcodec::LayerMap map(static_cast<int>(wiring.sender.num_hidden_layers), static_cast<int>(mean.size()));
  std::vector<bus::SharedLayers> sets;
  const std::size_t step = (ranking.size() + kCompared - 1) / kCompared;
  for (std::size_t step_end = 0; step_end < ranking.size() + step; step_end += step) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(step_end, ranking.size()));
    std::set<int> layers(ranking.begin(), ranking.begin() + count);
    layers.insert(map.first_layers().begin(), map.first_layers().end());
    if (sets.empty() || layers.size() > sets.back().layers.size())
      sets.push_back({.layers = {layers.begin(), layers.end()}});
  }
  return sets;
}

}  // namespace

std::size_t SearchSample::bytes() const {
  std::size_t bytes = prompt.nbytes();
  for (int l = 0; l < shared.layers(); ++l)
    bytes += shared.layer(l).key_store().nbytes() + shared.layer(l).value_store().nbytes();
  return bytes;
}

at::Tensor SearchSample::embeddings(const llm::Model& model) const {
  const auto said = std::span(target).first(target.size() - 1);
  return said.empty() ? prompt : at::cat({prompt, model.embed(said)});
}

llm::RowRange SearchSample::left_out(std::size_t edge, int layer) const {
  const llm::RowRange& came = rows.at(edge).at(static_cast<std::size_t>(layer));
  return {std::max<std::int64_t>(came.begin, 1), std::max<std::int64_t>(came.end, 1)};
}

std::vector<double> mean_attention(const std::vector<SearchSample>& samples, std::size_t edge) {
  std::vector<double> mean(samples.front().attention.at(edge).size());
  for (const SearchSample& sample : samples)
    for (std::size_t l = 0; l < mean.size(); ++l)
      mean[l] += sample.attention[edge][l] / static_cast<double>(samples.size());
  return mean;
}

void SearchSamples::add(const bus::Task& task, SearchSample sample) {
  if (task.sample == 0) take();
  if (task.sample != static_cast<int>(samples_.size()))
    throw Error(ErrorKind::kGiveUp, cat("record ", task.sample + 1, " of a search for layers came, and record ",
                                        samples_.size() + 1, " is missing"));
  const std::size_t bytes = sample.bytes();
  if (bytes > most_bytes_ - bytes_)
    fail_input("the keys and values of ", samples_.size() + 1,
               " records, on which layers are to be chosen by loss, take ", bytes_ + bytes, " bytes, and ", most_bytes_,
               " are this agent's; choose on fewer records (--samples)");
  bytes_ += bytes;
  samples_.push_back(std::move(sample));
}

std::vector<SearchSample> SearchSamples::take() {
  bytes_ = 0;
  return std::exchange(samples_, {});
}

bus::EdgeScores search_layers(const llm::Model& model, const std::vector<const InboundEdge*>& edges, std::size_t number,
                              const std::vector<SearchSample>& samples, const SearchHooks& hooks) {
  const wire::EdgeSpec& spec = edges.at(number)->spec;
  const auto tokens = static_cast<double>(wire::search_tokens(static_cast<int>(samples.size()), spec.layers.unit));
  Work work(hooks, wire::describe(spec), tokens, static_cast<int>(model.config().num_hidden_layers));
  EdgeSearch search(model, number, spec.layers.unit, samples, [&](std::int64_t rows) { work.before_layer(rows); });
  const at::Tensor keys = samples.front().shared.layer(0).keys();
  bus::EdgeScores found{
      .from = spec.from, .to = spec.to, .scores = {}, .checks = search.checks(), .heads = search.heads()};
  found.layer_bytes =
      kvcodec::row_bytes(spec.wire, keys.size(1), keys.size(2), static_cast<std::int64_t>(keys.element_size()));
  if (spec.wire == wire::WireDtype::kAuto && !spec.layers.by_loss()) {
    choose_wire(model, *edges[number], number, samples, hooks, found);
    return found;
  }
  for (const kvcodec::SharedSet& set : search.path(tokens))
    found.path.push_back({.layers = search.parts_of(set.units), .loss = set.loss});
  found.by_attention = sets_by_attention(*edges[number], number, samples);
  const std::vector<double> attention = search.chosen_on(found.by_attention);
  for (std::size_t i = 0; i < attention.size(); ++i) found.by_attention[i].loss = attention[i];
  const std::vector<double> checked = search.path_checked_on(found.path);
  for (std::size_t i = 0; i < checked.size(); ++i) found.path[i].checked = checked[i];
  const std::vector<double> attention_checked = search.checked_on(found.by_attention);
  for (std::size_t i = 0; i < attention_checked.size(); ++i) found.by_attention[i].checked = attention_checked[i];
  if (spec.wire == wire::WireDtype::kAuto) choose_wire(model, *edges[number], number, samples, hooks, found);
  return found;
}

}  // namespace kvmesh::agents
