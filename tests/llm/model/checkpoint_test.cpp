// Broken checkpoints: each is a one-line error that names the file and what is wrong.

#include "llm/model/checkpoint.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "llm/model/model.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/model_copy.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
namespace fs = std::filesystem;

namespace {

/// A copy of the demo model to be broken.
class BrokenModel : public ModelCopy {
 public:
  std::string error() const {
    try {
      llm::Model::load(dir(), {.dtype = "fp32"});
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
      return error.what();
    }
    return "loaded without an error";
  }
};

using Catch::Contains;
constexpr const char* kTensor = "model.layers.3.mlp.down_proj.weight";

}  // namespace

TEST_CASE("a truncated weights file names the file and a tensor beyond its end") {
  BrokenModel model;
  fs::resize_file(model.weights(), fs::file_size(model.weights()) - 1000);
  CHECK_THAT(model.error(), Contains("model.safetensors") && Contains("truncated"));
}

TEST_CASE("a header that claims more bytes than the file has is refused") {
  BrokenModel model;
  std::string bytes = BrokenModel::read(model.weights());
  bytes[4] = '\x7f';
  BrokenModel::write(model.weights(), bytes);
  CHECK_THAT(model.error(), Contains("its header claims"));
}

TEST_CASE("an empty weights file is refused") {
  BrokenModel model;
  BrokenModel::write(model.weights(), "");
  CHECK_THAT(model.error(), Contains("too few"));
}

TEST_CASE("a header that is not JSON is refused") {
  BrokenModel model;
  std::string bytes = BrokenModel::read(model.weights());
  bytes[8] = '!';
  BrokenModel::write(model.weights(), bytes);
  CHECK_THAT(model.error(), Contains("model.safetensors header:1:1: not JSON"));
}

TEST_CASE("a missing tensor is named") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header.erase(kTensor); });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("missing"));
}

TEST_CASE("a wrong dtype tag is named with the bytes that do not fit") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header[kTensor]["dtype"] = "F32"; });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("bytes"));
}

TEST_CASE("an unknown dtype is named") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header[kTensor]["dtype"] = "Q4_K"; });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("Q4_K"));
}

TEST_CASE("a tensor of another shape than the config asks for is named with both shapes") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header[kTensor]["shape"] = {352, 128}; });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("[352, 128]") && Contains("[128, 352]"));
}

TEST_CASE("tensors that overlap are both named") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) {
    header[kTensor]["data_offsets"] = header["model.layers.4.mlp.down_proj.weight"]["data_offsets"];
  });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("overlap"));
}

TEST_CASE("a shape whose product overflows is refused") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header[kTensor]["shape"] = {1LL << 62, 1LL << 62}; });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("beyond any memory"));
}

TEST_CASE("an index that names a missing file says which") {
  BrokenModel model;
  BrokenModel::write(model.dir() / "model.safetensors.index.json",
                     R"({"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}})");
  CHECK_THAT(model.error(), Contains("model-00001-of-00002.safetensors") && Contains("not in"));
}

TEST_CASE("an index that reaches outside the folder is refused") {
  BrokenModel model;
  BrokenModel::write(model.dir() / "model.safetensors.index.json",
                     R"({"weight_map": {"model.norm.weight": "../secret.safetensors"}})");
  CHECK_THAT(model.error(), Contains("../secret.safetensors"));
}

TEST_CASE("no weights at all names both files that may hold them") {
  BrokenModel model;
  fs::remove(model.weights());
  CHECK_THAT(model.error(), Contains("model.safetensors.index.json"));
}

TEST_CASE("an unknown architecture is named with those that are known") {
  BrokenModel model;
  model.set_config("architectures", {"MambaForCausalLM"});
  CHECK_THAT(model.error(), Contains("MambaForCausalLM") && Contains("LlamaForCausalLM"));
}

TEST_CASE("a missing rope_theta is an error, never a default") {
  BrokenModel model;
  model.remove_config("rope_theta");
  CHECK_THAT(model.error(), Contains("config.json") && Contains("rope_theta"));
}

TEST_CASE("RoPE scaling that is not implemented is named") {
  BrokenModel model;
  model.set_config("rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}});
  CHECK_THAT(model.error(), Contains("yarn"));
}

TEST_CASE("heads that do not divide are named with both numbers") {
  BrokenModel model;
  model.set_config("num_key_value_heads", 3);
  CHECK_THAT(model.error(), Contains("num_key_value_heads") && Contains("3"));
}

TEST_CASE("a field of a wrong type is named with its value") {
  BrokenModel model;
  model.set_config("hidden_size", "wide");
  CHECK_THAT(model.error(), Contains("hidden_size") && Contains("wide"));
}

TEST_CASE("quantised weights are refused by name") {
  BrokenModel model;
  model.set_config("quantization_config", {{"bits", 4}});
  CHECK_THAT(model.error(), Contains("quantization_config"));
}

TEST_CASE("a value of a maths field that is not implemented is an error that names the field and the value") {
  struct Value {
    const char* field;
    nlohmann::json value;
  };
  for (const Value& broken :
       {Value{"hidden_act", "relu"}, Value{"num_local_experts", 8}, Value{"num_experts", 4},
        Value{"partial_rotary_factor", 0.5}, Value{"qk_layernorm", true}, Value{"sliding_window", 1024},
        Value{"attn_logit_softcapping", 30.0}, Value{"use_mrope", true}, Value{"rope_scaling", "linear"},
        Value{"compression_config", {{"format", "int"}}}, Value{"is_encoder_decoder", true}}) {
    BrokenModel model;
    model.set_config(broken.field, broken.value);
    CHECK_THAT(model.error(), Contains("config.json") && Contains(broken.field));
  }
}

TEST_CASE("RoPE scaling that lacks a number, or has an impossible one, names the number") {
  struct Scaling {
    nlohmann::json value;
    const char* named;
  };
  const nlohmann::json llama3 = {{"rope_type", "llama3"},
                                 {"factor", 8.0},
                                 {"low_freq_factor", 4.0},
                                 {"high_freq_factor", 4.0},
                                 {"original_max_position_embeddings", 64}};
  for (const Scaling& broken :
       {Scaling{{{"type", "linear"}}, "factor"}, Scaling{{{"type", "dynamic"}, {"factor", 0.5}}, "factor"},
        Scaling{{{"rope_type", "llama3"}, {"factor", 8.0}}, "low_freq_factor"}, Scaling{llama3, "high_freq_factor"},
        Scaling{{{"rope_type", "longrope"}}, "longrope"}, Scaling{{{"rope_type", 3}}, "rope_type"}}) {
    BrokenModel model;
    model.set_config("rope_scaling", broken.value);
    CHECK_THAT(model.error(), Contains("rope_scaling") && Contains(broken.named));
  }
}

TEST_CASE("sizes that no model has are refused before anything is allocated") {
  for (const char* field : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
                            "num_attention_heads", "max_position_embeddings"}) {
    for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(-8), nlohmann::json(1LL << 60)}) {
      BrokenModel model;
      model.set_config(field, value);
      CHECK_THAT(model.error(), Contains(field));
    }
  }
  BrokenModel model;
  model.set_config("intermediate_size", 1 << 30);
  CHECK_THAT(model.error(), Contains("gate_proj") && Contains("1073741824"));
}

TEST_CASE("more layers than the weights have is a missing tensor") {
  BrokenModel model;
  model.set_config("num_hidden_layers", 9);
  CHECK_THAT(model.error(), Contains("model.layers.8.") && Contains("missing"));
}

TEST_CASE("an untied model without an output matrix names it") {
  BrokenModel model;
  model.set_config("tie_word_embeddings", false);
  CHECK_THAT(model.error(), Contains("lm_head.weight") && Contains("missing"));
}

TEST_CASE("weights of whole numbers are refused as quantised") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) { header[kTensor]["dtype"] = "I16"; });
  CHECK_THAT(model.error(), Contains(kTensor) && Contains("quantised"));
}

TEST_CASE("an entry without offsets, or with offsets that run backwards, names its tensor") {
  for (const nlohmann::json& offsets : {nlohmann::json(), nlohmann::json({4, 2}), nlohmann::json({0}),
                                        nlohmann::json({-2, 2}), nlohmann::json({"a", "b"})}) {
    BrokenModel model;
    model.edit_header([&](nlohmann::json& header) { header[kTensor]["data_offsets"] = offsets; });
    CHECK_THAT(model.error(), Contains(kTensor));
  }
}

TEST_CASE("an index that is no map of names to files is refused") {
  for (const char* text : {"", "[]", "{}", R"({"weight_map": []})", R"({"weight_map": {"model.norm.weight": 3}})"}) {
    BrokenModel model;
    BrokenModel::write(model.dir() / "model.safetensors.index.json", text);
    CHECK_THAT(model.error(), Contains("model.safetensors.index.json"));
  }
}

TEST_CASE("an index that promises a tensor which its file does not hold names both") {
  BrokenModel model;
  BrokenModel::write(model.dir() / "model.safetensors.index.json",
                     R"({"weight_map": {"model.layers.99.mlp.up_proj.weight": "model.safetensors"}})");
  CHECK_THAT(model.error(), Contains("model.layers.99.mlp.up_proj.weight") && Contains("model.safetensors"));
}

TEST_CASE("weights in PyTorch's own format are pointed out") {
  BrokenModel model;
  fs::remove(model.weights());
  BrokenModel::write(model.dir() / "pytorch_model.bin", "PK");
  CHECK_THAT(model.error(), Contains("pytorch_model.bin") && Contains("safetensors"));
}

TEST_CASE("a weights file cut at any place is an error, never a crash") {
  const std::string whole = BrokenModel::read(tiny_model() / "model.safetensors");
  BrokenModel model;
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9}, std::size_t{100},
                                 std::size_t{5000}, whole.size() / 2, whole.size() - 1}) {
    BrokenModel::write(model.weights(), whole.substr(0, size));
    CHECK_THAT(model.error(), Contains("model.safetensors"));
  }
}

TEST_CASE("any byte of the header may be damaged: an error or a model, never a crash") {
  const std::string whole = BrokenModel::read(tiny_model() / "model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  BrokenModel model;
  for (std::size_t at = 0; at < 8 + header; at += 211) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    BrokenModel::write(model.weights(), damaged);
    CHECK_FALSE(model.error().empty());
  }
}

TEST_CASE("layer kinds that are unknown, too few, or without a window are named") {
  for (const auto& [types, named] : {std::pair{nlohmann::json{"full_attention"}, "layer_types"},
                                     std::pair{nlohmann::json(8, "chunked_attention"), "chunked_attention"},
                                     std::pair{nlohmann::json(8, "sliding_attention"), "sliding_window"}}) {
    BrokenModel model;
    model.set_config("architectures", {"Qwen2ForCausalLM"});
    model.set_config("layer_types", types);
    CHECK_THAT(model.error(), Contains(named));
  }
}

TEST_CASE("a Llama config without rope_theta is read where the version that wrote it had none") {
  BrokenModel model;
  model.remove_config("rope_theta");
  model.set_config("transformers_version", "4.31.0.dev0");
  const llm::ModelConfig config = llm::read_config(model.dir());
  CHECK(config.ropes.front().theta == 10000);
  REQUIRE(config.notes.size() == 1);
  CHECK_THAT(config.notes.front(), Contains("rope_theta 10000") && Contains("4.31.0"));
  model.set_config("transformers_version", "4.33.0");
  CHECK_THAT(model.error(), Contains("rope_theta"));
}

TEST_CASE("a config that is not JSON names the file") {
  BrokenModel model;
  BrokenModel::write(model.dir() / "config.json", "{");
  CHECK_THAT(model.error(), Contains("config.json"));
}

TEST_CASE("weights of the matching dtype are used from the mapped file without a copy") {
  const llm::Checkpoint checkpoint = llm::Checkpoint::open(tiny_model());
  const std::int64_t shape[] = {128};
  const llm::StoredTensor stored = checkpoint.get("model.norm.weight", shape);
  CHECK(llm::as_tensor(stored).data_ptr() == stored.bytes.data());
}

TEST_CASE("a tensor outlives the checkpoint that it came from") {
  at::Tensor tensor;
  {
    const llm::Checkpoint checkpoint = llm::Checkpoint::open(tiny_model());
    const std::int64_t shape[] = {128};
    tensor = llm::as_tensor(checkpoint.get("model.norm.weight", shape));
  }
  CHECK(at::isfinite(tensor).all().item<bool>());
}

TEST_CASE("the fingerprint changes with one bit of one weight and with nothing else") {
  BrokenModel model;
  const std::string before = llm::Checkpoint::open(model.dir()).fingerprint();
  CHECK(before == llm::Checkpoint::open(tiny_model()).fingerprint());
  std::string bytes = BrokenModel::read(model.weights());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  BrokenModel::write(model.weights(), bytes);
  CHECK(before != llm::Checkpoint::open(model.dir()).fingerprint());
}

TEST_CASE("tensors that the architecture does not use are noted, not refused") {
  BrokenModel model;
  model.edit_header([](nlohmann::json& header) {
    header["model.rotary_emb.inv_freq"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  });
  CHECK(llm::Model::load(model.dir(), {.dtype = "fp32"}).unused_tensors() ==
        std::vector<std::string>{"model.rotary_emb.inv_freq"});
}
