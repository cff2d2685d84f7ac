// Sharing KV between random small models of unequal depth and width, against rows of keys and values that a model in
// double precision computes, put layer by layer where the rules of unequal depth say (docs/method.md).

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>

#include "agents/exchange.hpp"
#include "tests/agents/families/reference.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

/// The rules in floating point; the product computes in whole numbers.
class Depths {
 public:
  Depths(int sender, int receiver) : receiver_(receiver) {
    for (int layer = 0; layer < sender; ++layer) {
      const double exact = (layer + 0.5) * receiver / sender - 0.5;
      const int served = static_cast<int>(std::nearbyint(exact));  // ties to even
      if (layer == 0) first_ = served;
      const auto rival = source_.find(served);
      constexpr double kTie = 1e-9;  // the lower layer came first and keeps its place
      if (rival == source_.end() || std::abs(exact - served) < rival->second.distance - kTie)
        source_[served] = {layer, std::abs(exact - served)};
    }
  }

  /// Whose whole rows layer `layer` can have; none where no sender layer serves it.
  std::optional<int> source(int layer) const {
    const auto found = source_.find(layer);
    return found == source_.end() ? std::nullopt : std::optional(found->second.layer);
  }
  int sink_source(int layer) const {
    for (int away = 0; away < receiver_; ++away)
      for (int near : {layer - away, layer + away})
        if (source_.contains(near)) return source_.at(near).layer;
    throw std::logic_error("no layer is served");
  }
  bool counts_as_first(int layer) const { return layer == 0 || layer == first_; }

 private:
  struct Source {
    int layer;
    double distance;
  };
  int receiver_, first_ = 0;
  std::map<int, Source> source_;
};

/// One draw: two models, their prompts, what is shared.
class Draw {
 public:
  explicit Draw(std::uint32_t seed)
      : random_(seed), ends_(draw_ends()), sender_(ends_.first, "F32", seed), receiver_(ends_.second, "F32", seed + 7) {
    sender_.write(folder_.path() / "sender");
    receiver_.write(folder_.path() / "receiver");
    request_.chain = below(3) == 0;
    const int senders = request_.chain ? 2 : 1 + below(3);
    for (int i = 0; i < senders; ++i) request_.sender_ids.push_back(tokens());
    request_.receiver_ids = tokens();
    request_.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
    for (int l = 0; l < layers(receiver_); ++l)
      if (below(2) == 0) request_.edge.layers.layers.push_back(l);
  }

  at::Tensor shared() const {
    const auto load = [&](const char* name) { return llm::Model::load(folder_.path() / name, {.dtype = "fp32"}); };
    return agents::exchange(load("sender"), load("receiver"), request_).logits;
  }

  /// Every sender's rows, computed at the positions where the receiver sees them, then the receiver behind them.
  at::Tensor expected() const {
    const Depths depths(layers(sender_), layers(receiver_));
    std::vector<Rows> before(static_cast<std::size_t>(layers(receiver_)));
    std::int64_t position = 0;
    std::vector<std::int64_t> seen;
    for (const auto& ids : request_.sender_ids) {
      if (!request_.chain) seen.clear();
      seen.insert(seen.end(), ids.begin(), ids.end());
      const std::vector<Rows> rows = Reference(sender_).rows(seen, request_.chain ? 0 : position);
      const bool first = position == 0, last = &ids == &request_.sender_ids.back();
      position += static_cast<std::int64_t>(ids.size());
      if (request_.chain && !last) continue;
      const auto own = static_cast<std::int64_t>(ids.size());
      for (int layer = 0; layer < layers(receiver_); ++layer) {
        const std::optional<int> source = depths.source(layer);
        const bool whole = source && (depths.counts_as_first(layer) || chosen(layer));
        const Rows& sink = rows[static_cast<std::size_t>(depths.sink_source(layer))];
        if (!whole && (first || request_.chain)) add(before, layer, sink, 0, 1);
        if (!whole) continue;
        const Rows& all = rows[static_cast<std::size_t>(*source)];
        if (request_.chain) add(before, layer, all, 0, 1);
        add(before, layer, all, all.keys.size(0) - own, own);
      }
    }
    return Reference(receiver_).logits_behind(before, request_.receiver_ids, position);
  }

  std::string text() const {
    std::string text = sender_.config().dump() + receiver_.config().dump() + (request_.chain ? " chain" : "");
    for (const auto& ids : request_.sender_ids) text += " sender of " + std::to_string(ids.size());
    for (int layer : request_.edge.layers.layers) text += " " + std::to_string(layer);
    return text;
  }

  bool unequal() const { return layers(sender_) != layers(receiver_); }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint32_t>(bound)); }
  static int layers(const TinyCheckpoint& checkpoint) { return checkpoint.config()["num_hidden_layers"].get<int>(); }

  /// Two configs of one family, with the same keys: depth, heads and width are each model's own.
  std::pair<nlohmann::json, nlohmann::json> draw_ends() {
    const char* families[] = {"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"};
    const char* family = families[below(3)];
    const int kv_heads = 1 + below(3), head_dim = 4 << below(3);
    const auto one = [&] {
      const int heads = kv_heads * (1 + below(3));
      return tiny_config(family, {{"num_hidden_layers", 1 + below(9)},
                                  {"num_key_value_heads", kv_heads},
                                  {"num_attention_heads", heads},
                                  {"hidden_size", heads * head_dim},
                                  {"head_dim", head_dim}});
    };
    auto sender = one();
    return {std::move(sender), one()};
  }

  std::vector<std::int64_t> tokens() {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(1 + below(20)));
    for (std::int64_t& id : ids) id = below(299);
    return ids;
  }

  bool chosen(int layer) const {
    const auto& chosen = request_.edge.layers.layers;
    return std::find(chosen.begin(), chosen.end(), layer) != chosen.end();
  }

  static void add(std::vector<Rows>& before, int layer, const Rows& from, std::int64_t begin, std::int64_t count) {
    Rows& rows = before[static_cast<std::size_t>(layer)];
    const auto behind = [&](at::Tensor& all, const at::Tensor& more) {
      all = all.defined() ? at::cat({all, more.narrow(0, begin, count)}) : more.narrow(0, begin, count);
    };
    behind(rows.keys, from.keys);
    behind(rows.values, from.values);
  }

  std::mt19937 random_;
  TemporaryFolder folder_;
  std::pair<nlohmann::json, nlohmann::json> ends_;
  TinyCheckpoint sender_, receiver_;
  agents::ExchangeRequest request_;
};

}  // namespace

TEST_CASE("models of unequal depth and width share what the rules of the layer map say, to 1e-4") {
  int unequal = 0;
  for (std::uint32_t seed = 1; seed <= 80; ++seed) {
    Draw draw(seed);
    CAPTURE(seed, draw.text());
    CHECK(distance(draw.shared(), draw.expected()) < 1e-4);
    unequal += draw.unequal() ? 1 : 0;
  }
  CHECK(unequal > 50);
}
