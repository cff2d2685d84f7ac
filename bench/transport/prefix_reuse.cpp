#include <ATen/ATen.h>

#include <algorithm>

#include "bench/transport/conversation.hpp"
#include "bench/transport/transport.hpp"

namespace kvmesh::bench {
namespace {

constexpr std::int64_t kShared = 2'000, kNew = 512;
constexpr std::int64_t kLayers = 8, kKvHeads = 4, kHeadDim = 64;

/// A small Llama with random weights: what travels is counted and timed, not understood.
llm::Model small_model() {
  constexpr std::int64_t kWidth = 256, kInner = 512, kVocabulary = 4'096;
  llm::ModelConfig config;
  config.family = "llama";
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = kVocabulary;
  config.hidden_size = kWidth;
  config.intermediate_size = kInner;
  config.num_hidden_layers = kLayers;
  config.num_attention_heads = config.num_key_value_heads = kKvHeads;
  config.head_dim = kHeadDim;
  config.max_position_embeddings = config.position_limit = 8'192;
  config.rms_norm_eps = 1e-5;
  config.ropes = {llm::RopeConfig{.theta = 10'000}};
  config.layers.resize(kLayers);
  config.attention_scale = 0.125;
  const auto random = [](std::int64_t rows, std::int64_t columns) {
    return at::randn({rows, columns}).mul_(0.05).to(at::kBFloat16);
  };
  llm::Weights weights;
  weights.fingerprint = "random";
  weights.embed_tokens = weights.lm_head = random(kVocabulary, kWidth);
  weights.final_norm = at::ones({kWidth}, at::kBFloat16);
  for (std::int64_t l = 0; l < kLayers; ++l) {
    llm::LayerWeights layer;
    layer.attention_norm = layer.mlp_norm = weights.final_norm;
    layer.qkv = random(3 * kKvHeads * kHeadDim, kWidth);
    layer.out = random(kWidth, kKvHeads * kHeadDim);
    layer.gate_up = random(2 * kInner, kWidth);
    layer.down = random(kWidth, kInner);
    weights.layers.push_back(std::move(layer));
  }
  return llm::Model::of(std::move(config), std::move(weights));
}

std::vector<std::int64_t> some_ids(std::int64_t count, std::int64_t salt) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * 7919 + salt * 104729 + i / 97) % 4'096);
  return ids;
}

}  // namespace

void measure_prefix_reuse(const Emit& emit) {
  const llm::Model model = small_model();
  constexpr std::size_t kEnough = std::size_t{256} << 20;
  Conversation keeps(model, kEnough), forgets(model, 0);
  // Rows of the new tokens alone, as they stand in memory.
  const double new_mib = static_cast<double>(kNew * kLayers * 2 * kKvHeads * kHeadDim * 2) / (1 << 20);
  double bytes = 0;
  std::int64_t salt = 0;
  const auto second_turn = [&](Conversation& conversation) {
    std::vector<std::int64_t> ids = some_ids(kShared, ++salt);
    conversation.turn(ids);
    const std::vector<std::int64_t> question = some_ids(kNew, ++salt);
    ids.insert(ids.end(), question.begin(), question.end());
    return conversation.turn(ids);
  };
  Row time = compare(
      {.name = "prefix reuse time",
       .unit = "ms",
       .bar = 0,
       .higher_is_better = false,
       .note = "the same turn with nothing kept"},
      [&] {
        const Conversation::Turn turn = second_turn(keeps);
        bytes = std::max(bytes, static_cast<double>(turn.bytes) / (1 << 20));
        return turn.seconds * 1e3;
      },
      [&] { return second_turn(forgets).seconds * 1e3; });
  emit({.name = "prefix reuse bytes",
        .ours = bytes,
        .reference = new_mib,
        .unit = "MiB",
        .ratio = bytes / new_mib,
        .low = bytes / new_mib,
        .high = bytes / new_mib,
        .bar = 1.05,
        .higher_is_better = false,
        .note = "rows of the 512 new tokens, 2,000 being shared"});
  emit(time);
}

}  // namespace kvmesh::bench
