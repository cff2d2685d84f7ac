#include "kvcodec/layer_selection.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "base/error.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/quantize.hpp"

namespace kvmesh::kvcodec {
namespace {

using wire::LayerChoice;

std::vector<int> all_layers(int num_layers) {
  std::vector<int> layers(static_cast<std::size_t>(num_layers));
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

std::vector<int> best_by_attention(const LayerChoice& choice, int count, int num_layers,
                                   const std::vector<double>& importances) {
  if (importances.size() != static_cast<std::size_t>(num_layers)) {
    fail_input("layers are to be chosen by calibration, but there are scores for ", importances.size(), " of ",
               num_layers, " layers: calibrate the edge first");
  }
  std::vector<int> ranking = rank_layers(layer_scores(importances, choice.alpha, choice.mu, choice.sigma));
  ranking.resize(static_cast<std::size_t>(count));
  return ranking;
}

std::vector<int> best_by_loss(int count, const std::vector<std::vector<int>>& best_sets) {
  const auto larger = std::find_if(best_sets.begin(), best_sets.end(), [count](const std::vector<int>& set) {
    return set.size() > static_cast<std::size_t>(count);
  });
  if (larger == best_sets.begin())
    fail_input("layers are to be chosen by loss, but no search has been made for ", count,
               " of them: calibrate the edge first");
  return *(larger - 1);
}

std::vector<int> best_layers(const LayerChoice& choice, int num_layers, const EdgeMeasures& measured) {
  const int count = ranked_count(choice, num_layers, measured.layer_bytes);
  if (count == 0) return {};
  if (count == num_layers) return all_layers(num_layers);
  if (choice.by == wire::By::kLoss) {
    if (measured.heads != 0)
      fail_input("layers are to be chosen, and single heads were measured: calibrate the edge again");
    return best_by_loss(count, measured.best_sets);
  }
  return best_by_attention(choice, count, num_layers, measured.importances);
}

std::vector<int> explicit_layers(const LayerChoice& choice, int num_layers) {
  for (int layer : choice.layers) {
    if (layer < 0 || layer >= num_layers) {
      fail_input("layer ", layer, " is not one of the receiver's ", num_layers, " layers (0 to ", num_layers - 1, ")");
    }
  }
  return choice.layers;
}

std::vector<int> layers_with_heads(const LayerChoice& choice, int num_layers) {
  LayerChoice layers;
  for (const wire::HeadsOfLayer& one : choice.heads) layers.layers.push_back(one.layer);
  return explicit_layers(layers, num_layers);
}

/// A number below `bound`, each with the same chance. Not std::uniform_int_distribution, whose outcome is left to the
/// library.
std::uint64_t draw_below(std::mt19937_64& generator, std::uint64_t bound) {
  const std::uint64_t rejected = (0 - bound) % bound;  // 2^64 mod bound: the overhang that would favour low numbers
  std::uint64_t drawn = generator();
  while (drawn < rejected) drawn = generator();
  return drawn % bound;
}

std::mt19937_64 generator_of_record(std::uint64_t seed, std::uint64_t record_index) {
  constexpr auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  constexpr auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  std::seed_seq sequence{low(seed), high(seed), low(record_index), high(record_index)};
  return std::mt19937_64(sequence);
}

std::vector<int> random_layers(const LayerChoice& choice, int num_layers, std::uint64_t record_index) {
  const auto count = static_cast<std::size_t>(layer_count(choice.ratio, num_layers));
  std::mt19937_64 generator = generator_of_record(choice.seed, record_index);
  std::vector<int> layers = all_layers(num_layers);
  for (std::size_t i = 0; i < count; ++i) {  // Fisher-Yates, as far as it is needed
    std::swap(layers[i], layers[i + draw_below(generator, layers.size() - i)]);
  }
  layers.resize(count);
  return layers;
}

std::vector<int> contiguous_layers(const LayerChoice& choice, int num_layers) {
  if (!(choice.mu >= 0 && choice.mu <= 1)) fail_input("mu is ", choice.mu, ", but must be between 0 and 1");
  const int count = layer_count(choice.ratio, num_layers);
  // nearbyint rounds half to even in the default rounding mode, which nothing here changes.
  const double centred = std::nearbyint(choice.mu * (num_layers - 1) - (count - 1) / 2.0);
  const int first = std::clamp(static_cast<int>(centred), 0, num_layers - count);
  std::vector<int> layers(static_cast<std::size_t>(count));
  std::iota(layers.begin(), layers.end(), first);
  return layers;
}

std::vector<int> chosen_layers(const LayerChoice& choice, int num_layers, const EdgeMeasures& measured,
                               std::uint64_t record_index) {
  switch (choice.kind) {
    case LayerChoice::Kind::kRatio:
    case LayerChoice::Kind::kTop:
    case LayerChoice::Kind::kBytesPerToken: return best_layers(choice, num_layers, measured);
    case LayerChoice::Kind::kExplicit: return explicit_layers(choice, num_layers);
    case LayerChoice::Kind::kAll: return all_layers(num_layers);
    case LayerChoice::Kind::kRandom: return random_layers(choice, num_layers, record_index);
    case LayerChoice::Kind::kContiguous: return contiguous_layers(choice, num_layers);
    case LayerChoice::Kind::kHeads: return layers_with_heads(choice, num_layers);
  }
  throw Error(ErrorKind::kGiveUp, cat("a layer choice with the number ", static_cast<int>(choice.kind), " is unknown"));
}

}  // namespace

int layer_count(double ratio, int num_layers) {
  if (!(ratio >= 0 && ratio <= 1)) fail_input("the ratio of layers is ", ratio, ", but must be between 0 and 1");
  constexpr double kRoundingError = 1e-9;
  return static_cast<int>(std::floor(ratio * num_layers + kRoundingError));
}

int ranked_count(const LayerChoice& choice, int num_layers, double layer_bytes) {
  if (choice.kind == LayerChoice::Kind::kRatio) return layer_count(choice.ratio, num_layers);
  if (choice.kind == LayerChoice::Kind::kBytesPerToken) {
    if (!(layer_bytes > 0)) fail_input("layers: {bytes_per_token} needs to know how many bytes a layer takes");
    return static_cast<int>(std::min(std::floor(choice.bytes_per_token / layer_bytes), 1.0 * num_layers));
  }
  if (choice.top < 0 || choice.top > num_layers)
    fail_input("layers: {top: ", choice.top, "} does not fit a receiver of ", num_layers,
               choice.unit == wire::Unit::kHead ? " KV heads" : " layers");
  return choice.top;
}

double row_bytes(wire::WireDtype wire, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t element_bytes) {
  constexpr double kScaleAndZero = 4;  // fp16 each
  const auto heads = static_cast<double>(kv_heads), dim = static_cast<double>(head_dim);
  const auto quantised = [&](double bits) {
    const double key_groups = dim / kQuantGroup, value_groups = std::ceil(dim / kQuantGroup);
    return heads * (2 * dim * bits / 8 + kScaleAndZero * (key_groups + value_groups));
  };
  switch (wire) {
    case wire::WireDtype::kAuto:  // until it has been measured
    case wire::WireDtype::kSame: return 2 * heads * dim * static_cast<double>(element_bytes);
    case wire::WireDtype::kBFloat16:
    case wire::WireDtype::kFloat16: return 2 * heads * dim * 2;
    case wire::WireDtype::kInt8: return quantised(8);
    case wire::WireDtype::kInt4: return quantised(4);
  }
  throw Error(ErrorKind::kGiveUp, cat("numbers that travel as number ", static_cast<int>(wire), " are unknown"));
}

std::vector<int> select_layers(const LayerChoice& choice, int num_layers, const EdgeMeasures& measured,
                               std::uint64_t record_index) {
  if (num_layers < 1) fail_input("a receiver of ", num_layers, " layers has none to share");
  std::vector<int> layers = chosen_layers(choice, num_layers, measured, record_index);
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

LayerChoice with_heads_named(const LayerChoice& choice, int num_layers, int num_heads, const EdgeMeasures& measured) {
  if (choice.kind == LayerChoice::Kind::kHeads || !choice.by_heads()) return choice;
  const int all = num_layers * num_heads, count = ranked_count(choice, all, measured.layer_bytes / num_heads);
  std::vector<int> heads(static_cast<std::size_t>(all));
  std::iota(heads.begin(), heads.end(), 0);
  if (count == 0) heads.clear();
  if (count > 0 && count < all) {
    if (measured.heads != num_heads)
      fail_input("single heads are to be chosen, and those of ", num_heads,
                 " KV heads a layer were not measured: calibrate the edge first");
    heads = best_by_loss(count, measured.best_sets);
  }
  LayerChoice named;
  named.kind = LayerChoice::Kind::kHeads;
  for (const int head : heads) {
    if (named.heads.empty() || named.heads.back().layer != head / num_heads)
      named.heads.push_back({.layer = head / num_heads, .heads = {}});
    named.heads.back().heads.push_back(head % num_heads);
  }
  return named;
}

std::vector<int> heads_at(const LayerChoice& choice, int layer, int num_heads) {
  if (choice.kind != LayerChoice::Kind::kHeads) return {};
  for (const wire::HeadsOfLayer& one : choice.heads) {
    if (one.layer != layer) continue;
    if (!one.heads.empty() && one.heads.back() >= num_heads)
      fail_input("KV head ", one.heads.back(), " of layer ", layer, " is not one of the receiver's ", num_heads,
                 " KV heads (0 to ", num_heads - 1, ")");
    return one.heads.size() == static_cast<std::size_t>(num_heads) ? std::vector<int>() : one.heads;
  }
  return {};
}

std::string describe_heads(const LayerChoice& choice, int num_layers, int num_heads) {
  std::size_t heads = 0;
  for (const wire::HeadsOfLayer& one : choice.heads)
    heads += one.heads.empty() ? static_cast<std::size_t>(num_heads) : one.heads.size();
  return cat(heads, " of ", num_layers * num_heads, " heads");
}

std::string describe_selection(const std::vector<int>& selected, int num_layers, bool first_besides) {
  const bool holds_first = !selected.empty() && selected.front() == 0;
  return cat(selected.size(), " of ", num_layers, holds_first || !first_besides ? "" : " + layer 0");
}

}  // namespace kvmesh::kvcodec
