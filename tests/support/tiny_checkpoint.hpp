#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// Tiny checkpoints with random weights in the layout of the hub, made from a config.json alone. Knows nothing of the
/// engine: names and shapes are those of each family's published layout.
namespace kvmesh::test {

struct Weight {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< as they are stored, rounded to the stored dtype
};

class TinyCheckpoint {
 public:
  /// `dtype`: "F32", "BF16" or "F16". Same config, dtype and seed: same bytes.
  explicit TinyCheckpoint(nlohmann::json config, std::string dtype = "F32", std::uint32_t seed = 1)
      : config_(std::move(config)), dtype_(std::move(dtype)), random_(seed) {
    const nlohmann::json& text = this->text();
    const std::string prefix = multimodal() ? "language_model.model." : "model.";
    const std::int64_t hidden = text["hidden_size"], vocab = field("vocab_size", 262208);
    add(prefix + "embed_tokens.weight", {vocab, hidden}, 0, gemma() ? 0.2 : 0.5);
    add_norm(prefix + "norm.weight", hidden);
    if (!tied()) add("lm_head.weight", {vocab, hidden}, 0, 0.3);
    for (std::int64_t l = 0; l < text["num_hidden_layers"].get<std::int64_t>(); ++l)
      add_layer(prefix + "layers." + std::to_string(l) + ".", hidden);
  }

  const nlohmann::json& config() const { return config_; }
  /// The language model's own fields.
  const nlohmann::json& text() const { return multimodal() ? config_["text_config"] : config_; }
  std::map<std::string, Weight>& weights() { return weights_; }
  const std::map<std::string, Weight>& weights() const { return weights_; }
  bool multimodal() const { return config_.contains("text_config"); }
  bool gemma() const { return architecture().starts_with("Gemma"); }
  std::string architecture() const { return config_["architectures"][0]; }
  bool tied() const { return config_.value("tie_word_embeddings", gemma()); }
  std::int64_t field(const std::string& name, std::int64_t otherwise) const {
    return text().contains(name) && text()[name].is_number() ? text()[name].get<std::int64_t>() : otherwise;
  }
  std::int64_t heads() const { return field("num_attention_heads", 8); }
  std::int64_t kv_heads() const { return field("num_key_value_heads", multimodal() ? 4 : heads()); }
  std::int64_t head_dim() const {
    const bool own = gemma() || architecture().starts_with("Qwen3");
    return field("head_dim", !own ? field("hidden_size", 0) / heads() : gemma() ? 256 : 128);
  }

  void add(const std::string& name, std::vector<std::int64_t> shape, double mean, double deviation) {
    std::int64_t count = 1;
    for (std::int64_t extent : shape) count *= extent;
    std::normal_distribution<float> normal(static_cast<float>(mean), static_cast<float>(deviation));
    Weight weight{std::move(shape), std::vector<float>(static_cast<std::size_t>(count))};
    for (float& value : weight.values) value = decoded(encoded(normal(random_)));
    weights_[name] = std::move(weight);
  }

  /// config.json and the weights, in `shards` files.
  void write(const std::filesystem::path& dir, std::size_t shards = 1) const {
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "config.json") << config_.dump(1);
    std::vector<std::vector<std::string>> names(shards);
    std::size_t turn = 0;
    for (const auto& [name, weight] : weights_) names[turn++ % shards].push_back(name);
    if (shards == 1) return write_file(dir / "model.safetensors", names[0]);
    nlohmann::json index = {{"metadata", nlohmann::json::object()}, {"weight_map", nlohmann::json::object()}};
    for (std::size_t s = 0; s < shards; ++s) {
      const std::string file = "model-" + std::to_string(s + 1) + ".safetensors";
      write_file(dir / file, names[s]);
      for (const std::string& name : names[s]) index["weight_map"][name] = file;
    }
    std::ofstream(dir / "model.safetensors.index.json") << index.dump(1);
  }

  /// A byte-level tokenizer without merges: a token a byte.
  static void write_tokenizer(const std::filesystem::path& dir) {
    nlohmann::json vocabulary;
    int other = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printed = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const int point = printed ? byte : other++;
      std::string text;
      if (point < 128) text += static_cast<char>(point);
      else text = {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
      vocabulary[text] = byte;
    }
    const nlohmann::json bytes = {{"type", "ByteLevel"},
                                  {"add_prefix_space", false},
                                  {"trim_offsets", true},
                                  {"use_regex", true}};
    const nlohmann::json tokenizer = {{"version", "1.0"},
                                      {"truncation", nullptr},
                                      {"padding", nullptr},
                                      {"added_tokens", nlohmann::json::array()},
                                      {"normalizer", nullptr},
                                      {"pre_tokenizer", bytes},
                                      {"post_processor", nullptr},
                                      {"decoder", bytes},
                                      {"model",
                                       {{"type", "BPE"},
                                        {"dropout", nullptr},
                                        {"unk_token", nullptr},
                                        {"continuing_subword_prefix", nullptr},
                                        {"end_of_word_suffix", nullptr},
                                        {"fuse_unk", false},
                                        {"byte_fallback", false},
                                        {"vocab", vocabulary},
                                        {"merges", nlohmann::json::array()}}}};
    std::ofstream(dir / "tokenizer.json") << tokenizer.dump();
  }

 private:
  void add_norm(const std::string& name, std::int64_t width) { add(name, {width}, gemma() ? 0 : 1, 0.2); }
  void add_linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias) {
    add(name + ".weight", {rows, columns}, 0, 1 / std::sqrt(static_cast<double>(columns)));
    if (bias) add(name + ".bias", {rows}, 0, 0.3);
  }
  void add_layer(const std::string& at, std::int64_t hidden) {
    const std::int64_t q = heads() * head_dim(), kv = kv_heads() * head_dim(), ffn = text()["intermediate_size"];
    const bool attention_bias = text().value("attention_bias", false), mlp_bias = text().value("mlp_bias", false);
    const bool qkv_bias = attention_bias || architecture().starts_with("Qwen2");
    add_norm(at + "input_layernorm.weight", hidden);
    add_norm(at + "post_attention_layernorm.weight", hidden);
    if (gemma()) {
      add_norm(at + "pre_feedforward_layernorm.weight", hidden);
      add_norm(at + "post_feedforward_layernorm.weight", hidden);
    }
    if (architecture().starts_with("Qwen3") || architecture().starts_with("Gemma3")) {
      add_norm(at + "self_attn.q_norm.weight", head_dim());
      add_norm(at + "self_attn.k_norm.weight", head_dim());
    }
    add_linear(at + "self_attn.q_proj", q, hidden, qkv_bias);
    add_linear(at + "self_attn.k_proj", kv, hidden, qkv_bias);
    add_linear(at + "self_attn.v_proj", kv, hidden, qkv_bias);
    add_linear(at + "self_attn.o_proj", hidden, q, attention_bias);
    add_linear(at + "mlp.gate_proj", ffn, hidden, mlp_bias);
    add_linear(at + "mlp.up_proj", ffn, hidden, mlp_bias);
    add_linear(at + "mlp.down_proj", hidden, ffn, mlp_bias);
  }

  std::size_t width() const { return dtype_ == "F32" ? 4 : 2; }
  /// The stored bits of a number, rounded to nearest, ties to even.
  std::uint32_t encoded(float value) const {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    if (dtype_ == "F32") return bits;
    if (dtype_ == "BF16") return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const std::uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x7f800000) return sign | (magnitude == 0x7f800000 ? 0x7c00 : 0x7e00);
    if (magnitude < 0x38800000) return sign;  // too small for a normal number: zero is near enough
    const std::uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return sign | ((rounded >> 13) - (112u << 10));
  }
  float decoded(std::uint32_t stored) const {
    std::uint32_t bits = stored;
    if (dtype_ == "BF16") bits = stored << 16;
    if (dtype_ == "F16") {
      const std::uint32_t magnitude = stored & 0x7fff;
      bits = (stored & 0x8000) << 16 | (magnitude == 0 ? 0 : (magnitude << 13) + (112u << 23));
    }
    float value = 0;
    std::memcpy(&value, &bits, 4);
    return value;
  }

  void write_file(const std::filesystem::path& path, const std::vector<std::string>& names) const {
    nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
    std::string data;
    for (const std::string& name : names) {
      const Weight& weight = weights_.at(name);
      const std::size_t begin = data.size();
      for (float value : weight.values) {
        const std::uint32_t bits = encoded(value);
        data.append(reinterpret_cast<const char*>(&bits), width());
      }
      header[name] = {{"dtype", dtype_}, {"shape", weight.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << text << data;
  }

  nlohmann::json config_;
  std::string dtype_;
  std::mt19937 random_;
  std::map<std::string, Weight> weights_;
};

}  // namespace kvmesh::test
