#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

/// A config.json for each thing that sets families apart. Windows are shorter than the prompts that the tests use.
namespace kvmesh::test {

struct TinyFamily {
  std::string name;
  nlohmann::json config;
};

inline nlohmann::json tiny_config(const std::string& architecture, const nlohmann::json& changes) {
  nlohmann::json config = {{"architectures", {architecture}},
                           {"vocab_size", 300},
                           {"hidden_size", 32},
                           {"intermediate_size", 48},
                           {"num_hidden_layers", 4},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"hidden_act", "silu"},
                           {"max_position_embeddings", 128},
                           {"rms_norm_eps", 1e-5},
                           {"rope_theta", 10000.0},
                           {"tie_word_embeddings", false},
                           {"torch_dtype", "float32"},
                           {"eos_token_id", 299}};
  if (architecture.starts_with("Gemma")) {
    config.erase("tie_word_embeddings");
    config.erase("hidden_act");
    config.update({{"hidden_activation", "gelu_pytorch_tanh"},
                   {"head_dim", 16},
                   {"query_pre_attn_scalar", 24},
                   {"sliding_window", 7},
                   {"attn_logit_softcapping", nullptr},
                   {"final_logit_softcapping", nullptr},
                   {"rms_norm_eps", 1e-6}});
  }
  for (const auto& [name, value] : changes.items()) {
    if (value == "absent") config.erase(name);
    else config[name] = value;
  }
  return config;
}

inline std::vector<TinyFamily> tiny_families() {
  using nlohmann::json;
  const json llama3 = {{"rope_type", "llama3"},
                       {"factor", 8.0},
                       {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 32}};
  const json local = {{"rope_type", "default"}, {"rope_theta", 100.0}};
  const json global = {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 5000.0}};
  const json types = {"sliding_attention", "full_attention", "sliding_attention", "full_attention"};
  return {
      {"Llama 2, base built into the writer", tiny_config("LlamaForCausalLM", {{"num_key_value_heads", "absent"},
                                                                               {"rope_theta", "absent"},
                                                                               {"transformers_version", "4.31.0.dev0"},
                                                                               {"pretraining_tp", 1}})},
      {"Llama 3.2, llama3 scaling, tied",
       tiny_config("LlamaForCausalLM", {{"rope_scaling", llama3}, {"tie_word_embeddings", true}, {"head_dim", 16}})},
      {"Llama, linear scaling in the oldest spelling",
       tiny_config("LLaMAForCausalLM", {{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}})},
      {"Llama, dynamic scaling, longer than it was trained",
       tiny_config("LlamaForCausalLM",
                   {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}, {"max_position_embeddings", 16}})},
      {"Llama with biases",
       tiny_config("LlamaForCausalLM", {{"attention_bias", true}, {"mlp_bias", true}, {"num_key_value_heads", 1}})},
      {"Llama, newer spelling",
       tiny_config("LlamaForCausalLM", {{"rope_theta", "absent"},
                                        {"torch_dtype", "absent"},
                                        {"dtype", "float32"},
                                        {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 500000.0}}}})},
      {"Mistral, window", tiny_config("MistralForCausalLM", {{"sliding_window", 7}, {"head_dim", nullptr}})},
      {"Mistral without a window", tiny_config("MistralForCausalLM", {{"sliding_window", nullptr}, {"head_dim", 24}})},
      {"Qwen2", tiny_config("Qwen2ForCausalLM", {{"use_sliding_window", false},
                                                 {"sliding_window", 5},
                                                 {"max_window_layers", 2},
                                                 {"tie_word_embeddings", true}})},
      {"Qwen2, windows in late layers",
       tiny_config("Qwen2ForCausalLM",
                   {{"use_sliding_window", true}, {"sliding_window", 5}, {"max_window_layers", 2}})},
      {"Qwen2, windows by layer_types", tiny_config("Qwen2ForCausalLM", {{"use_sliding_window", true},
                                                                         {"sliding_window", 6},
                                                                         {"max_window_layers", 4},
                                                                         {"layer_types", types}})},
      {"Qwen3", tiny_config("Qwen3ForCausalLM", {{"head_dim", 20},
                                                 {"use_sliding_window", false},
                                                 {"sliding_window", nullptr},
                                                 {"attention_bias", false}})},
      {"Qwen3 with biases and head_dim left out", tiny_config("Qwen3ForCausalLM", {{"attention_bias", true},
                                                                                   {"num_attention_heads", 2},
                                                                                   {"num_key_value_heads", 1},
                                                                                   {"tie_word_embeddings", true}})},
      {"Gemma 2", tiny_config("Gemma2ForCausalLM", {{"attn_logit_softcapping", 5.0},
                                                    {"final_logit_softcapping", 3.0},
                                                    {"hidden_act", "gelu_pytorch_tanh"}})},
      {"Gemma 2 without caps, untied", tiny_config("Gemma2ForCausalLM", {{"tie_word_embeddings", false}})},
      {"Gemma 3, older spelling",
       tiny_config("Gemma3ForCausalLM", {{"rope_theta", 50000.0},
                                         {"rope_local_base_freq", 100.0},
                                         {"sliding_window_pattern", 3},
                                         {"rope_scaling", {{"rope_type", "linear"}, {"factor", 4.0}}}})},
      {"Gemma 3, newer spelling",
       tiny_config("Gemma3ForCausalLM",
                   {{"rope_theta", "absent"},
                    {"layer_types", types},
                    {"final_logit_softcapping", 4.0},
                    {"rope_parameters", {{"full_attention", global}, {"sliding_attention", local}}}})},
      {"Gemma 3, text part of a multimodal checkpoint",
       {{"architectures", {"Gemma3ForConditionalGeneration"}},
        {"torch_dtype", "float32"},
        {"eos_token_id", {1, 106}},
        {"vision_config", {{"hidden_size", 8}}},
        {"text_config",
         {{"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 7},
          {"vocab_size", 300},
          {"sliding_window", 9},
          {"model_type", "gemma3_text"},
          {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}}}}}},
  };
}

}  // namespace kvmesh::test
