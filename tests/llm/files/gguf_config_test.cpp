// What GGUF metadata says of a model: every architecture, its defaults, RoPE's scalings, and what is refused.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "llm/model/check.hpp"
#include "llm/model/config.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;
using Catch::Contains;

namespace {

/// A model of 64 dimensions, 7 layers and 4 heads, with the keys that no architecture has defaults for.
GgufWriter model_of(const std::string& architecture) {
  GgufWriter file;
  file.text("general.architecture", architecture);
  const auto key = [&](const char* name) { return architecture + "." + name; };
  file.u32(key("block_count"), 7).u32(key("context_length"), 512).u32(key("embedding_length"), 64);
  file.u32(key("feed_forward_length"), 96).u32(key("attention.head_count"), 4);
  file.f32(key("attention.layer_norm_rms_epsilon"), 1e-5f);
  file.floats("token_embd.weight", {10, 64}, std::vector<float>(640, 1));
  return file;
}

class Files : public TemporaryFolder {
 public:
  ModelConfig read(const GgufWriter& file) const { return read_config(file.write(path() / "model.gguf")); }
  std::string problem_of(const GgufWriter& file) const {
    try {
      read(file);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      CHECK_THAT(error.what(), Contains("model.gguf"));
      return error.what();
    }
    return "read";
  }
};

std::vector<std::size_t> local_layers(const ModelConfig& config, std::int64_t window) {
  std::vector<std::size_t> local;
  for (std::size_t l = 0; l < config.layers.size(); ++l)
    if (config.layers[l].window == window) local.push_back(l);
  return local;
}

/// What llama.cpp's conversion makes of Llama 3's scaling with low_freq_factor 1, high_freq_factor 4, 8192 tokens.
std::vector<float> llama3_factors(double theta, double factor, int head_dim) {
  std::vector<float> factors;
  for (int i = 0; i < head_dim; i += 2) {
    const double wavelength = 2 * std::numbers::pi * std::pow(theta, static_cast<double>(i) / head_dim);
    if (wavelength < 8192.0 / 4) factors.push_back(1);
    else if (wavelength > 8192.0) factors.push_back(static_cast<float>(factor));
    else {
      const double smooth = (8192 / wavelength - 1) / 3;
      factors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
    }
  }
  return factors;
}

}  // namespace

TEST_CASE(
    "GGUF llama: sizes are read, what is missing is llama.cpp's default, heads are tied where there is no output") {
  const Files files;
  const ModelConfig config = files.read(model_of("llama"));
  CHECK(config.family == "llama");
  CHECK(config.vocab_size == 10);
  CHECK(config.hidden_size == 64);
  CHECK(config.intermediate_size == 96);
  CHECK(config.num_hidden_layers == 7);
  CHECK(config.num_key_value_heads == 4);
  CHECK(config.head_dim == 16);
  CHECK(config.max_position_embeddings == 512);
  CHECK(config.rms_norm_eps == Approx(1e-5));
  CHECK(config.ropes[0].theta == 10000);
  CHECK(config.ropes[0].scaling == RopeScaling::kNone);
  CHECK(config.attention_scale == Approx(0.25));
  CHECK(config.interleaved_rows);
  CHECK(config.tie_word_embeddings);
  CHECK_FALSE(config.qkv_bias);
  CHECK(std::any_of(config.notes.begin(), config.notes.end(),
                    [](const std::string& note) { return note.find("llama.rope.freq_base 10000") == 0; }));

  const ModelConfig other = files.read(model_of("llama")
                                           .u32("llama.attention.head_count_kv", 2)
                                           .u32("llama.attention.key_length", 32)
                                           .u32("llama.attention.value_length", 32)
                                           .f32("llama.rope.freq_base", 5e5f)
                                           .floats("output.weight", {10, 64}, std::vector<float>(640, 1))
                                           .floats("blk.0.attn_q.bias", {128}, std::vector<float>(128, 1)));
  CHECK(other.num_key_value_heads == 2);
  CHECK(other.head_dim == 32);
  CHECK(other.ropes[0].theta == 5e5);
  CHECK_FALSE(other.tie_word_embeddings);
  CHECK(other.qkv_bias);
}

TEST_CASE("GGUF llama: a window is every layer's, and linear scaling counts on top of the context's length") {
  const Files files;
  CHECK(local_layers(files.read(model_of("llama").u32("llama.attention.sliding_window", 128)), 128).size() == 7);
  const ModelConfig config =
      files.read(model_of("llama").text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4));
  CHECK(config.ropes[0].scaling == RopeScaling::kLinear);
  CHECK(config.ropes[0].factor == 4);
  CHECK(config.position_limit == 2048);
  CHECK(files.read(model_of("llama").f32("llama.rope.scale_linear", 2)).ropes[0].factor == 2);
}

TEST_CASE("GGUF rope_freqs: Llama 3's factors are known as its scaling, any others divide the frequencies") {
  const Files files;
  for (const double factor : {8.0, 32.0}) {
    const ModelConfig config = files.read(model_of("llama")
                                              .f32("llama.rope.freq_base", 5e5f)
                                              .floats("rope_freqs.weight", {8}, llama3_factors(5e5, factor, 16)));
    CHECK(config.ropes[0].scaling == RopeScaling::kLlama3);
    CHECK(config.ropes[0].factor == factor);
    CHECK(config.ropes[0].original_length == 8192);
  }
  const std::vector<float> factors = {1, 1, 2, 3, 4, 5, 6, 7};
  const ModelConfig config = files.read(model_of("llama").floats("rope_freqs.weight", {8}, factors));
  CHECK(config.ropes[0].scaling == RopeScaling::kFactors);
  CHECK(config.ropes[0].factors == factors);
  CHECK_THAT(config.ropes[0].scaling_json(), Contains("\"factors\""));
  CHECK_THAT(files.problem_of(model_of("llama").floats("rope_freqs.weight", {4}, {1, 1, 1, 1})),
             Contains("\"rope_freqs.weight\" must hold 8 numbers"));
  CHECK_THAT(files.problem_of(model_of("llama").floats("rope_freqs.weight", {8}, {1, 1, 1, 0, 1, 1, 1, 1})),
             Contains("\"rope_freqs.weight\" holds 0"));
}

TEST_CASE("GGUF qwen2 and qwen3: biases where their tensors are, norms per head in the later one, rows as they are") {
  const Files files;
  const ModelConfig qwen2 = files.read(model_of("qwen2").floats("blk.0.attn_q.bias", {64}, std::vector<float>(64, 1)));
  CHECK(qwen2.qkv_bias);
  CHECK_FALSE(qwen2.qk_norm);
  CHECK_FALSE(qwen2.interleaved_rows);
  const ModelConfig qwen3 = files.read(model_of("qwen3").u32("qwen3.attention.key_length", 128));
  CHECK(qwen3.qk_norm);
  CHECK_FALSE(qwen3.qkv_bias);
  CHECK(qwen3.head_dim == 128);
}

TEST_CASE("GGUF gemma2: even layers are local, soft caps have llama.cpp's defaults") {
  const Files files;
  const ModelConfig config = files.read(model_of("gemma2"));
  CHECK(config.activation == Activation::kGeluTanh);
  CHECK(config.embedding_scale == 8);
  CHECK(config.post_norms);
  CHECK_FALSE(config.norm_plus_one);
  CHECK(config.attention_softcap == 50);
  CHECK(config.final_softcap == 30);
  CHECK(local_layers(config, 4096) == std::vector<std::size_t>{0, 2, 4, 6});
  CHECK(config.ropes.size() == 1);
  const ModelConfig other = files.read(model_of("gemma2")
                                           .u32("gemma2.attention.sliding_window", 64)
                                           .f32("gemma2.attn_logit_softcapping", 20)
                                           .f32("gemma2.final_logit_softcapping", 0));
  CHECK(local_layers(other, 64).size() == 4);
  CHECK(other.attention_softcap == 20);
  CHECK(other.final_softcap == 0);
}

TEST_CASE("GGUF gemma3: five local layers to a global one, with a RoPE base of their own") {
  const Files files;
  const auto gemma3 = [] { return model_of("gemma3").f32("gemma3.rope.freq_base", 1e6f); };
  const ModelConfig config = files.read(gemma3()
                                            .u32("gemma3.attention.sliding_window", 32)
                                            .text("gemma3.rope.scaling.type", "linear")
                                            .f32("gemma3.rope.scaling.factor", 8));
  CHECK(config.qk_norm);
  CHECK(local_layers(config, 32) == std::vector<std::size_t>{0, 1, 2, 3, 4, 6});
  CHECK(config.rope_of(5).theta == 1e6);
  CHECK(config.rope_of(5).factor == 8);
  CHECK(config.rope_of(0).theta == 10000);
  CHECK(config.rope_of(0).scaling == RopeScaling::kNone);
  CHECK(config.position_limit == 512);
  CHECK(local_layers(files.read(gemma3()), 32).empty());
  const ModelConfig period =
      files.read(gemma3().u32("gemma3.attention.sliding_window", 32).u32("gemma3.attention.sliding_window_pattern", 2));
  CHECK(local_layers(period, 32) == std::vector<std::size_t>{0, 2, 4, 6});
  const ModelConfig listed =
      files.read(gemma3()
                     .u32("gemma3.attention.sliding_window", 32)
                     .numbers<std::uint8_t>("gemma3.attention.sliding_window_pattern", 7, {1, 0, 0, 1, 0, 0, 1}));
  CHECK(local_layers(listed, 32) == std::vector<std::size_t>{0, 3, 6});
}

TEST_CASE("GGUF: what is not implemented is refused by name") {
  const Files files;
  CHECK_THAT(files.problem_of(model_of("phi3")),
             Contains("architecture \"phi3\" is not supported; supported in GGUF files: llama, qwen2, qwen3, gemma2, "
                      "gemma3"));
  CHECK_THAT(files.problem_of(GgufWriter().text("general.name", "x")), Contains("\"general.architecture\" is missing"));
  CHECK_THAT(files.problem_of(model_of("llama").text("llama.rope.scaling.type", "yarn")), Contains("\"yarn\""));
  CHECK_THAT(files.problem_of(model_of("llama").u32("llama.expert_count", 8)), Contains("experts are not supported"));
  CHECK_THAT(files.problem_of(model_of("llama").u32("llama.rope.dimension_count", 8)),
             Contains("\"llama.rope.dimension_count\" is 8"));
  CHECK_THAT(files.problem_of(model_of("llama").u32("llama.attention.value_length", 8)),
             Contains("\"llama.attention.value_length\" is 8"));
  CHECK_THAT(files.problem_of(model_of("qwen2").u32("qwen2.attention.sliding_window", 8)),
             Contains("qwen2 with windows is not implemented"));
}

TEST_CASE("GGUF: sizes that cannot be and tensors that are missing or of another shape are refused") {
  const Files files;
  CHECK_THAT(files.problem_of(model_of("llama").u32("llama.attention.head_count_kv", 3)), Contains("not a multiple"));
  CHECK_THAT(files.problem_of(model_of("llama").u32("llama.attention.key_length", 0)),
             Contains("no model has so many"));
  GgufWriter deep = model_of("llama");
  CHECK_THROWS_WITH(check_checkpoint(deep.write(files.path() / "model.gguf")),
                    Contains("model.gguf: tensor \"output_norm.weight\" is missing"));
  deep.floats("output_norm.weight", {63}, std::vector<float>(63, 1));
  CHECK_THROWS_WITH(check_checkpoint(deep.write(files.path() / "model.gguf")),
                    Contains("\"output_norm.weight\" has shape [63], its metadata asks for [64]"));
}

TEST_CASE("GGUF: the tokens that end a turn are those of the metadata, each once") {
  const Files files;
  const auto path = model_of("llama")
                        .u32("tokenizer.ggml.eos_token_id", 2)
                        .u32("tokenizer.ggml.eot_token_id", 7)
                        .u32("tokenizer.ggml.eom_token_id", 2)
                        .write(files.path() / "model.gguf");
  CHECK(read_stop_tokens(path) == std::vector<std::int64_t>{2, 7});
}
