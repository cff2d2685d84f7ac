#include "llm/model/gguf_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::int64_t kMostLayers = 10'000;
constexpr double kDefaultTheta = 10'000;

/// The keys of one model, which begin with its architecture's name.
class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), architecture_(std::move(architecture)) {}

  std::string operator()(const char* name) const { return architecture_ + "." + name; }
  const GgufMetadata& metadata() const { return metadata_; }
  const std::string& architecture() const { return architecture_; }
  const std::string& file() const { return metadata_.file(); }
  bool has(const char* name) const { return metadata_.has((*this)(name)); }

  /// A number of heads, rows, layers, positions: above 0 and small enough that products of two do not overflow.
  std::int64_t size(const char* name) const {
    const std::int64_t value = metadata_.integer((*this)(name));
    if (value < 1 || value > std::int64_t{1} << 30)
      fail_input(file(), ": \"", (*this)(name), "\" is ", value, "; no model has so many");
    return value;
  }
  std::int64_t size_or(const char* name, std::int64_t value) const { return has(name) ? size(name) : value; }
  double positive(const char* name) const {
    const double value = metadata_.real((*this)(name));
    if (!(value > 0)) fail_input(file(), ": \"", (*this)(name), "\" is ", value, "; it must be above 0");
    return value;
  }
  double positive_or(const char* name, double value) const { return has(name) ? positive(name) : value; }
  /// 0 means that there is none.
  double cap_or(const char* name, double value) const {
    return has(name) && metadata_.real((*this)(name)) == 0 ? 0 : positive_or(name, value);
  }

 private:
  const GgufMetadata& metadata_;
  std::string architecture_;
};

const TensorFile* find_file(const GgufFile& file, const std::string& tensor) {
  const auto part =
      std::find_if(file.parts().begin(), file.parts().end(), [&](const TensorFile& p) { return p.contains(tensor); });
  return part == file.parts().end() ? nullptr : &*part;
}

/// Llama 3's scaling as a factor per frequency: what llama.cpp's conversion writes into "rope_freqs.weight".
std::vector<float> llama3_factors(const RopeConfig& rope, std::int64_t head_dim) {
  std::vector<float> factors;
  for (std::int64_t i = 0; i < head_dim; i += 2) {
    const double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(head_dim));
    const double turns = frequency * static_cast<double>(rope.original_length) / (2 * std::numbers::pi);
    const double kept =
        std::clamp((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - kept) / rope.factor + kept)));
  }
  return factors;
}

/// Frequencies are divided by the numbers of "rope_freqs.weight". Llama 3's are known again, so that its keys fit those
/// of the same model in another format.
RopeConfig with_factors(RopeConfig rope, std::vector<float> factors) {
  RopeConfig llama3 = rope;
  llama3.scaling = RopeScaling::kLlama3;
  llama3.factor = std::round(*std::max_element(factors.begin(), factors.end()));
  llama3.low_freq_factor = 1;
  llama3.high_freq_factor = 4;
  llama3.original_length = 8192;
  const std::vector<float> known = llama3_factors(llama3, 2 * static_cast<std::int64_t>(factors.size()));
  const auto near = [](float a, float b) { return std::abs(a - b) <= 1e-4f * b; };
  if (std::equal(factors.begin(), factors.end(), known.begin(), near)) return llama3;
  rope.scaling = RopeScaling::kFactors;
  rope.factors = std::move(factors);
  return rope;
}

std::vector<float> read_factors(const TensorFile& file, std::int64_t head_dim) {
  constexpr const char* kName = "rope_freqs.weight";
  const StoredTensor tensor = file.get(kName);
  const auto pairs = static_cast<std::size_t>(head_dim / 2);
  if (tensor.dtype != StoredDtype::kFloat || tensor.shape != std::vector<std::int64_t>{head_dim / 2})
    fail_input(file.path().string(), ": tensor \"", kName, "\" must hold ", pairs, " numbers in F32");
  std::vector<float> factors(pairs);
  std::memcpy(factors.data(), tensor.bytes.data(), pairs * sizeof(float));
  for (const float factor : factors)
    if (!(factor > 0) || !std::isfinite(factor))
      fail_input(file.path().string(), ": tensor \"", kName, "\" holds ", factor, "; factors are above 0");
  return factors;
}

RopeConfig read_rope(const GgufFile& file, const Keys& keys, std::int64_t head_dim) {
  RopeConfig rope;
  rope.theta = keys.positive_or("rope.freq_base", kDefaultTheta);
  const auto type = keys.metadata().find_text(keys("rope.scaling.type")).value_or("linear");
  if (type != "linear" && type != "none")
    fail_input(keys.file(), ": RoPE scaling \"", type, "\" is not implemented; none, linear and rope_freqs.weight are");
  if (keys.positive_or("rope.scaling.attn_factor", 1) != 1)
    fail_input(keys.file(), ": \"", keys("rope.scaling.attn_factor"), "\" is not 1, which is not implemented");
  const double factor = keys.cap_or("rope.scaling.factor", keys.cap_or("rope.scale_linear", 1));
  if (type == "linear" && factor != 0 && factor != 1) {
    rope.scaling = RopeScaling::kLinear;
    rope.factor = factor;
  }
  const TensorFile* holds_factors = find_file(file, "rope_freqs.weight");
  if (holds_factors == nullptr) return rope;
  if (rope.scaling != RopeScaling::kNone)
    fail_input(keys.file(), ": has both \"rope_freqs.weight\" and linear RoPE scaling, which is not implemented");
  return with_factors(rope, read_factors(*holds_factors, head_dim));
}

/// What every architecture spells alike.
ModelConfig read_common(const GgufFile& file, const Keys& keys) {
  ModelConfig config;
  config.family = config.architecture = keys.architecture();
  const TensorFile* holds_table = find_file(file, "token_embd.weight");
  if (holds_table == nullptr) fail_input(keys.file(), ": tensor \"token_embd.weight\" is missing");
  config.vocab_size = holds_table->get("token_embd.weight").shape[0];
  config.hidden_size = keys.size("embedding_length");
  config.intermediate_size = keys.size("feed_forward_length");
  config.num_hidden_layers = keys.size("block_count");
  if (config.num_hidden_layers > kMostLayers)
    fail_input(keys.file(), ": \"", keys("block_count"), "\" is ", config.num_hidden_layers, "; no model is that deep");
  config.num_attention_heads = keys.size("attention.head_count");
  config.num_key_value_heads = keys.size_or("attention.head_count_kv", config.num_attention_heads);
  config.head_dim = keys.size_or("attention.key_length", config.hidden_size / config.num_attention_heads);
  for (const char* name : {"attention.value_length", "rope.dimension_count"})
    if (keys.size_or(name, config.head_dim) != config.head_dim)
      fail_input(keys.file(), ": \"", keys(name), "\" is ", keys.size(name), " and the keys' length ", config.head_dim,
                 "; only models where they are equal are supported");
  if (keys.metadata().find_integer(keys("expert_count")).value_or(0) != 0)
    fail_input(keys.file(), ": \"", keys("expert_count"), "\" is set; experts are not supported");
  config.max_position_embeddings = keys.size("context_length");
  config.position_limit = config.max_position_embeddings;
  config.rms_norm_eps = keys.positive("attention.layer_norm_rms_epsilon");
  config.ropes = {read_rope(file, keys, config.head_dim)};
  config.layers.resize(static_cast<std::size_t>(config.num_hidden_layers));
  config.tie_word_embeddings = find_file(file, "output.weight") == nullptr;
  return config;
}

/// Biases are there where their tensors are.
void read_biases(const GgufFile& file, ModelConfig& config) {
  config.qkv_bias = find_file(file, "blk.0.attn_q.bias") != nullptr;
  config.attention_output_bias = find_file(file, "blk.0.attn_output.bias") != nullptr;
  config.mlp_bias = find_file(file, "blk.0.ffn_down.bias") != nullptr;
}

void refuse_window(const Keys& keys) {
  constexpr const char* kWindow = "attention.sliding_window";
  if (keys.has(kWindow))
    fail_input(keys.file(), ": \"", keys(kWindow), "\" does not say which layers have the window; ",
               keys.architecture(), " with windows is not implemented");
}

/// Llama, Mistral, and all that llama.cpp calls so. Linear scaling counts on top of the context's length.
void finish_llama(const GgufFile& file, const Keys& keys, ModelConfig& config) {
  read_biases(file, config);
  config.interleaved_rows = true;
  if (config.ropes[0].scaling == RopeScaling::kLinear)
    config.position_limit = static_cast<std::int64_t>(
        std::min(static_cast<double>(config.max_position_embeddings) * config.ropes[0].factor, 1e15));
  if (!keys.has("attention.sliding_window")) return;
  for (LayerAttention& layer : config.layers) layer.window = keys.size("attention.sliding_window");
}

void finish_qwen(const GgufFile& file, const Keys& keys, ModelConfig& config) {
  refuse_window(keys);
  read_biases(file, config);
  config.qk_norm = keys.architecture() == "qwen3";
}

/// Gives every layer that `is_local` names the window.
template <class IsLocal>
void give_windows(ModelConfig& config, std::int64_t window, std::size_t rope, const IsLocal& is_local) {
  for (std::size_t l = 0; l < config.layers.size(); ++l)
    if (is_local(l)) config.layers[l] = {.window = window, .rope = rope};
}

/// `deepest`: the layers of the 27B model, whose scale is another.
void finish_gemma(const Keys& keys, std::int64_t deepest, ModelConfig& config) {
  config.activation = Activation::kGeluTanh;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.post_norms = true;
  const std::int64_t scalar =
      config.num_hidden_layers == deepest ? config.hidden_size / config.num_attention_heads : config.head_dim;
  config.attention_scale = 1 / std::sqrt(static_cast<double>(scalar));
  config.notes.push_back(cat("attention scale 1/sqrt(", scalar, "): llama.cpp's for ", keys.architecture(), " with ",
                             config.num_hidden_layers, " layers"));
}

void note_default(const Keys& keys, const char* name, double value, ModelConfig& config) {
  if (!keys.has(name))
    config.notes.push_back(cat(keys(name), ' ', value, ": what llama.cpp means where it is missing"));
}

/// Even layers local, odd ones global.
void finish_gemma2(const GgufFile&, const Keys& keys, ModelConfig& config) {
  constexpr std::int64_t kWindow = 4096, kDeepest = 46;
  constexpr double kScoreCap = 50, kFinalCap = 30;
  finish_gemma(keys, kDeepest, config);
  note_default(keys, "attention.sliding_window", kWindow, config);
  note_default(keys, "attn_logit_softcapping", kScoreCap, config);
  note_default(keys, "final_logit_softcapping", kFinalCap, config);
  config.attention_softcap = keys.cap_or("attn_logit_softcapping", kScoreCap);
  config.final_softcap = keys.cap_or("final_logit_softcapping", kFinalCap);
  give_windows(config, keys.size_or("attention.sliding_window", kWindow), 0, [](std::size_t l) { return l % 2 == 0; });
}

/// Five local layers, then a global one; local ones rotate with a base of their own and without scaling.
void finish_gemma3(const GgufFile&, const Keys& keys, ModelConfig& config) {
  constexpr std::int64_t kDeepest = 62, kPeriod = 6;
  constexpr const char* kPattern = "attention.sliding_window_pattern";
  finish_gemma(keys, kDeepest, config);
  config.qk_norm = true;
  config.final_softcap = keys.cap_or("final_logit_softcapping", 0);
  if (!keys.has("attention.sliding_window")) {
    config.notes.emplace_back("no attention.sliding_window: every layer sees everything, as in llama.cpp");
    return;
  }
  RopeConfig local;
  local.theta = keys.positive_or("rope.freq_base_swa", kDefaultTheta);
  note_default(keys, "rope.freq_base_swa", kDefaultTheta, config);
  config.ropes.push_back(local);
  const std::int64_t window = keys.size("attention.sliding_window");
  const auto& values = keys.metadata().values();
  const auto pattern = values.find(keys(kPattern));
  if (pattern != values.end() && pattern->second.is_array) {
    const std::vector<std::int64_t> is_local = keys.metadata().integers(keys(kPattern));
    if (is_local.size() != config.layers.size())
      fail_input(keys.file(), ": \"", keys(kPattern), "\" has ", is_local.size(), " values for ", config.layers.size(),
                 " layers");
    return give_windows(config, window, 1, [&](std::size_t l) { return is_local[l] != 0; });
  }
  const auto period = static_cast<std::size_t>(keys.size_or(kPattern, kPeriod));
  note_default(keys, kPattern, static_cast<double>(kPeriod), config);
  give_windows(config, window, 1, [&](std::size_t l) { return l % period != period - 1; });
}

struct Architecture {
  const char* name;
  void (*finish)(const GgufFile& file, const Keys& keys, ModelConfig& config);
};
constexpr std::array kArchitectures = {Architecture{"llama", finish_llama}, Architecture{"qwen2", finish_qwen},
                                       Architecture{"qwen3", finish_qwen}, Architecture{"gemma2", finish_gemma2},
                                       Architecture{"gemma3", finish_gemma3}};

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file) {
  const std::string name(file.metadata().text("general.architecture"));
  const Keys keys(file.metadata(), name);
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    known += cat(known.empty() ? "" : ", ", architecture.name);
    if (name != architecture.name) continue;
    ModelConfig config = read_common(file, keys);
    note_default(keys, "rope.freq_base", kDefaultTheta, config);
    architecture.finish(file, keys, config);
    return config;
  }
  fail_input(keys.file(), ": architecture \"", name, "\" is not supported; supported in GGUF files: ", known);
}

std::vector<std::int64_t> read_gguf_stop_tokens(const GgufMetadata& metadata) {
  std::vector<std::int64_t> stops;
  for (const char* name :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = metadata.find_integer(name);
    if (id && std::find(stops.begin(), stops.end(), *id) == stops.end()) stops.push_back(*id);
  }
  return stops;
}

}  // namespace kvmesh::llm
