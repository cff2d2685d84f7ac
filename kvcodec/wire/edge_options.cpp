#include "kvcodec/wire/edge_options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::wire {
namespace {

constexpr WholeRange kTokens{1, std::numeric_limits<int>::max()};

/// The names of an enumeration, in the order of its values.
template <typename Enum>
EdgeOption::Choice choice(Enum EdgeSpec::*value, std::vector<std::string> names) {
  return {std::move(names), [value](const EdgeSpec& edge) { return static_cast<std::size_t>(edge.*value); },
          [value](EdgeSpec& edge, std::size_t place) { edge.*value = static_cast<Enum>(place); }};
}

std::vector<EdgeOption> make_options() {
  using Whole = EdgeOption::Whole;
  const std::vector<Medium> kv{Medium::kKv}, activation{Medium::kActivation};
  const WholeRange often{1, std::numeric_limits<int>::max()};
  const double infinity = std::numeric_limits<double>::infinity();
  return {
      {.key = "layers",
       .field = "layers",
       .media = kv,
       .value = EdgeOption::Layers{},
       .words = "{}",
       .always_shown = true},
      {.key = "share",
       .field = "share",
       .media = kv,
       .value = choice(&EdgeSpec::share, {"prompt", "prompt+output"}),
       .words = "share {}"},
      {.key = "forward",
       .field = "forward",
       .media = kv,
       .value = EdgeOption::Flag{&EdgeSpec::forward},
       .words = "forward"},
      {.key = "recalibrate.every",
       .field = "recalibrate_every",
       .media = kv,
       .value = Whole{&EdgeSpec::recalibrate_every, often},
       .words = "measured anew every {} records"},
      {.key = "reproduce.mask",
       .field = "mask",
       .media = kv,
       .value = choice(&EdgeSpec::mask, {"causal", "authors"}),
       .words = "mask {}"},
      {.key = "reproduce.positions",
       .field = "positions",
       .media = kv,
       .value = choice(&EdgeSpec::positions, {"continue", "compact", "overlap"}),
       .words = "positions {}"},
      {.key = "wire",
       .field = "wire",
       .media = kv,
       .value = choice(&EdgeSpec::wire, {"same", "bf16", "fp16", "int8", "int4", "auto"}),
       .words = "wire {}"},
      {.key = "transport",
       .field = "transport",
       .media = kv,
       .value = choice(&EdgeSpec::transport, {"auto", "shm", "zmq"}),
       .words = "transport {}"},
      {.key = "max_tokens",
       .field = "max_tokens",
       .media = {Medium::kKv, Medium::kText, Medium::kEmbedding},
       .value = Whole{&EdgeSpec::max_tokens, kTokens},
       .words = "up to {} tokens",
       .always_shown = true},
      {.key = "temperature",
       .field = "temperature",
       .media = {Medium::kEmbedding},
       .value = EdgeOption::Number{&EdgeSpec::temperature, {0, infinity, /*above_least=*/true}},
       .words = "temperature {}"},
      {.key = "from_layer",
       .field = "from_layer",
       .media = activation,
       .value = Whole{&EdgeSpec::from_layer, kLayerRange},
       .words = "from layer {}",
       .required = true,
       .always_shown = true},
      {.key = "to_layer",
       .field = "to_layer",
       .media = activation,
       .value = Whole{&EdgeSpec::to_layer, kLayerRange},
       .words = "to layer {}",
       .required = true,
       .always_shown = true},
      {.key = "combine",
       .field = "combine",
       .media = activation,
       .value = choice(&EdgeSpec::combine, {"replace", "sum", "mean"}),
       .words = "combine {}"},
  };
}

std::string media_of(const EdgeOption& option) {
  std::string names;
  for (std::size_t i = 0; i < option.media.size(); ++i)
    names += cat(i == 0 ? "" : i + 1 == option.media.size() ? " and " : ", ", to_string(option.media[i]));
  return names;
}

/// A value that is out of its range, though it is not the one that stands for "none".
std::optional<EdgeProblem> range_problem(const EdgeOption& option, const EdgeSpec& edge) {
  const auto problem = [&](const auto& value, const auto& range) -> std::optional<EdgeProblem> {
    if (range.holds(edge.*value) || edge.*value == EdgeSpec{}.*value) return std::nullopt;
    return EdgeProblem{option.key, cat('"', option.key, "\" is ", edge.*value), cat("write ", to_string(range))};
  };
  if (const auto* whole = std::get_if<EdgeOption::Whole>(&option.value)) return problem(whole->value, whole->range);
  if (const auto* number = std::get_if<EdgeOption::Number>(&option.value)) return problem(number->value, number->range);
  if (const auto* named = std::get_if<EdgeOption::Choice>(&option.value);
      named && named->get(edge) >= named->names.size())
    return EdgeProblem{option.key, cat('"', option.key, "\" has the unknown value number ", named->get(edge)),
                       "take one that edge_spec.hpp names"};
  return std::nullopt;
}

void add_number(std::vector<EdgeProblem>& problems, const char* name, double value, const NumberRange& range) {
  if (!range.holds(value))
    problems.push_back({"layers", cat('"', name, "\" of layers is ", value), cat("write ", to_string(range))});
}

void add_head_problems(std::vector<EdgeProblem>& problems, const std::vector<HeadsOfLayer>& all) {
  const auto rising = [](const auto& numbers, auto less) {
    return std::adjacent_find(numbers.begin(), numbers.end(),
                              [&](const auto& a, const auto& b) { return !less(a, b); }) == numbers.end();
  };
  bool sound = rising(all, [](const HeadsOfLayer& a, const HeadsOfLayer& b) { return a.layer < b.layer; });
  for (const HeadsOfLayer& one : all) {
    sound = sound && kLayerRange.holds(one.layer) && rising(one.heads, std::less<>());
    for (const int head : one.heads) sound = sound && kLayerRange.holds(head);
  }
  if (!sound)
    problems.push_back({"layers",
                        "\"heads\" of layers names a layer or a head that no model has, or one twice, or not in "
                        "rising order",
                        "sort them and keep one of each"});
}

void add_layer_problems(std::vector<EdgeProblem>& problems, const LayerChoice& choice) {
  using Kind = LayerChoice::Kind;
  if (choice.kind == Kind::kRatio || choice.kind == Kind::kRandom || choice.kind == Kind::kContiguous)
    add_number(problems, "ratio", choice.ratio, kLayerRatioRange);
  add_number(problems, "alpha", choice.alpha, kLayerAlphaRange);
  add_number(problems, "mu", choice.mu, kLayerMuRange);
  add_number(problems, "sigma", choice.sigma, kLayerSigmaRange);
  if (choice.kind == Kind::kTop && !kLayerRange.holds(choice.top))
    problems.push_back({"layers", cat("\"top\" of layers is ", choice.top), cat("write ", to_string(kLayerRange))});
  if (choice.kind == Kind::kBytesPerToken && !kLayerBytesRange.holds(choice.bytes_per_token))
    problems.push_back({"layers", cat("\"bytes_per_token\" of layers is ", choice.bytes_per_token),
                        cat("write ", to_string(kLayerBytesRange))});
  if (choice.unit == Unit::kHead && !choice.by_loss())
    problems.push_back({"layers", "\"unit: head\" of layers is for heads that are chosen by loss, and these are not",
                        "remove it, or choose by {ratio: r}, {top: n} or {bytes_per_token: n} without by: attention"});
  const LayerChoice standard;
  if (choice.by_loss() &&
      (choice.alpha != standard.alpha || choice.mu != standard.mu || choice.sigma != standard.sigma))
    problems.push_back({"layers",
                        "\"alpha\", \"mu\" and \"sigma\" belong to by: attention, and these layers are chosen "
                        "by loss",
                        "remove them or add by: attention"});
  if (choice.kind == Kind::kHeads) return add_head_problems(problems, choice.heads);
  if (choice.kind != Kind::kExplicit) return;
  for (const int layer : choice.layers)
    if (!kLayerRange.holds(layer))
      problems.push_back({"layers", cat("layers holds ", layer), cat("write ", to_string(kLayerRange))});
  if (std::adjacent_find(choice.layers.begin(), choice.layers.end(), std::greater_equal<>()) != choice.layers.end())
    problems.push_back(
        {"layers", "layers is not in rising order, or names a layer twice", "sort it and keep one of each"});
}

}  // namespace

const NumberRange kLayerRatioRange{0, 1, false}, kLayerAlphaRange{0, 1, false}, kLayerMuRange{0, 1, false},
    kLayerSigmaRange{0, std::numeric_limits<double>::infinity(), true};

std::string to_string(const WholeRange& range) { return cat("a whole number from ", range.least, " to ", range.most); }

std::string to_string(const NumberRange& range) {
  if (std::isfinite(range.most)) return cat("a number from ", range.least, " to ", range.most);
  return cat(range.above_least ? "a number above " : "a number of at least ", range.least);
}

bool EdgeOption::belongs_to(Medium medium) const {
  return std::find(media.begin(), media.end(), medium) != media.end();
}

const std::vector<EdgeOption>& edge_options() {
  static const std::vector<EdgeOption> all = make_options();
  return all;
}

std::optional<std::string> text_of(const EdgeOption& option, const EdgeSpec& edge) {
  if (const auto* flag = std::get_if<EdgeOption::Flag>(&option.value)) return edge.*flag->value ? "true" : "false";
  if (const auto* whole = std::get_if<EdgeOption::Whole>(&option.value)) return cat(edge.*whole->value);
  if (const auto* number = std::get_if<EdgeOption::Number>(&option.value)) return cat(edge.*number->value);
  if (const auto* named = std::get_if<EdgeOption::Choice>(&option.value)) return named->names.at(named->get(edge));
  return std::nullopt;
}

std::vector<EdgeProblem> edge_problems(const EdgeSpec& edge) {
  std::vector<EdgeProblem> problems;
  for (const EdgeOption& option : edge_options()) {
    if (const auto problem = range_problem(option, edge)) {
      problems.push_back(*problem);
    } else if (!option.belongs_to(edge.medium) && text_of(option, edge) != text_of(option, EdgeSpec{})) {
      problems.push_back({option.key,
                          cat('"', option.key, "\" is an option of ", media_of(option),
                              " edges, and this edge's medium is ", to_string(edge.medium)),
                          "remove it"});
    }
  }
  if (edge.medium != Medium::kKv) return problems;
  add_layer_problems(problems, edge.layers);
  if (edge.layers.by_heads() && edge.wire == WireDtype::kAuto)
    problems.push_back({"wire", "\"wire: auto\" chooses bits for whole layers, and this edge shares single heads",
                        "write the form, as wire: int8"});
  const bool reproduces = edge.mask != Mask::kCausal || edge.positions != Positions::kContinue;
  if (edge.layers.by_heads() && reproduces)
    problems.push_back(
        {edge.mask != Mask::kCausal ? "reproduce.mask" : "reproduce.positions",
         "\"reproduce\" is for comparison with the paper's code, which shares whole layers, and this edge "
         "shares single heads",
         "remove it, or write layers as a list"});
  if (edge.share == Share::kPrompt && edge.max_tokens != EdgeSpec{}.max_tokens)
    problems.push_back({"max_tokens",
                        "\"max_tokens\" on a kv edge bounds the output that it shares, and this one shares none",
                        "remove it or add share: prompt+output"});
  if (edge.layers.by_loss() && edge.layers.calibrated() &&
      (edge.mask != Mask::kCausal || edge.positions != Positions::kContinue))
    problems.push_back({edge.mask != Mask::kCausal ? "reproduce.mask" : "reproduce.positions",
                        "\"reproduce\" is for comparison with the paper's code, and these layers are chosen by loss",
                        "remove it or add by: attention to layers"});
  if (edge.recalibrate_every > 0 && !edge.layers.calibrated() && edge.wire != WireDtype::kAuto)
    problems.push_back({"recalibrate.every", "\"recalibrate\" measures for a ranking, and this edge's layers need none",
                        "remove it, or choose layers by {ratio: r}, {top: n} or {bytes_per_token: n}"});
  return problems;
}

}  // namespace kvmesh::wire
