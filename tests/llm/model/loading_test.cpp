// What loading costs in memory, and what it finds wrong with numbers.

#include <malloc.h>

#include <cmath>
#include <iostream>
#include <limits>

#include "base/error.hpp"
#include "llm/model/finite.hpp"
#include "llm/model/model.hpp"
#include "llm/model/weights.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

/// A Llama of some 150 million weights, all zero, in a file of holes: written at once, read like any other.
class HollowModel {
 public:
  explicit HollowModel(const std::string& dtype) : element_(dtype == "F32" ? 4 : 2) {
    constexpr std::int64_t kHidden = 1024, kFfn = 4096, kVocab = 32000, kLayers = 8;
    add("model.embed_tokens.weight", {kVocab, kHidden}, dtype);
    add("model.norm.weight", {kHidden}, dtype);
    for (int l = 0; l < kLayers; ++l) {
      const std::string at = "model.layers." + std::to_string(l) + ".";
      for (const char* name : {"input_layernorm", "post_attention_layernorm"})
        add(at + name + ".weight", {kHidden}, dtype);
      for (const char* name : {"q_proj", "o_proj"})
        add(at + "self_attn." + name + ".weight", {kHidden, kHidden}, dtype);
      for (const char* name : {"k_proj", "v_proj"}) add(at + "self_attn." + name + ".weight", {256, kHidden}, dtype);
      for (const char* name : {"gate_proj", "up_proj"}) add(at + "mlp." + name + ".weight", {kFfn, kHidden}, dtype);
      add(at + "mlp.down_proj.weight", {kHidden, kFfn}, dtype);
    }
    std::string text = header_.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream(folder_.path() / "model.safetensors", std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&length), 8) << text;
    std::filesystem::resize_file(folder_.path() / "model.safetensors", 8 + length + bytes_);
    const nlohmann::json config = tiny_config("LlamaForCausalLM", {{"hidden_size", kHidden},
                                                                   {"intermediate_size", kFfn},
                                                                   {"vocab_size", kVocab},
                                                                   {"num_hidden_layers", kLayers},
                                                                   {"num_attention_heads", 16},
                                                                   {"num_key_value_heads", 4},
                                                                   {"tie_word_embeddings", true}});
    folder_.write("config.json", config.dump());
  }

  const std::filesystem::path& dir() const { return folder_.path(); }
  double weights() const { return static_cast<double>(bytes_ / element_); }

 private:
  void add(const std::string& name, const std::vector<std::size_t>& shape, const std::string& dtype) {
    std::size_t bytes = element_;
    for (std::size_t extent : shape) bytes *= extent;
    header_[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {bytes_, bytes_ + bytes}}};
    bytes_ += bytes;
  }

  TemporaryFolder folder_;
  std::size_t element_, bytes_ = 0;
  nlohmann::json header_;
};

/// A line of /proc/self/status, in bytes.
double memory(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field)) return 1024 * std::stod(line.substr(field.size() + 1));
  return 0;
}

/// From now on VmHWM is the peak from now on.
bool forget_peak() { return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << "5" << std::flush); }

}  // namespace

TEST_CASE("loading never holds more than 1.15 times the weights, whatever is stacked or converted") {
  struct Load {
    const char* stored;
    const char* computed;
    double bytes_a_weight;
  };
  for (const Load& load : {Load{"BF16", "bf16", 2}, Load{"BF16", "fp32", 4}, Load{"F32", "bf16", 2}}) {
    const HollowModel hollow(load.stored);
    ::malloc_trim(0);
    if (!forget_peak()) {
      WARN("skipped: /proc/self/clear_refs cannot be written here");
      return;
    }
    const double before = memory("VmRSS:");
    const llm::Model model = llm::Model::load(hollow.dir(), {.dtype = load.computed});
    const double ratio = (memory("VmHWM:") - before) / (hollow.weights() * load.bytes_a_weight);
    INFO(load.stored << " computed in " << load.computed << ": peak over weights " << ratio);
    CHECK(ratio < 1.15);
    CHECK(ratio > 0.5);  // it did load, and the measurement saw it
  }
}

std::span<const std::byte> bytes_of(const at::Tensor& numbers) {
  return {static_cast<const std::byte*>(numbers.data_ptr()), numbers.nbytes()};
}

TEST_CASE("NaN and infinity are seen in every dtype and at every place, and nothing else is") {
  using llm::StoredDtype;
  for (const auto stored : {StoredDtype::kFloat, StoredDtype::kBFloat16, StoredDtype::kHalf, StoredDtype::kDouble}) {
    const at::ScalarType dtype = llm::scalar_type_of(stored);
    for (std::int64_t count : {1, 2, 3, 7, 16, 33}) {
      at::Tensor numbers = at::randn({count}, at::kFloat).mul_(100).to(dtype);
      numbers[0] = dtype == at::kHalf ? -65504.0 : -3e38;
      CHECK(llm::all_finite(bytes_of(numbers), stored));
      for (std::int64_t i = 0; i < count; ++i) {
        for (const double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
          at::Tensor broken = numbers.clone();
          broken[i] = wrong;
          CHECK_FALSE(llm::all_finite(bytes_of(broken), stored));
        }
      }
    }
  }
}

TEST_CASE("loading ends soon after it is asked to stop, and says that it was stopped") {
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_WITH(llm::Model::load(tiny_model(), {.dtype = "fp32", .device = "cpu", .stop = source.get_token()}),
                    Catch::Contains("loading was stopped"));
}

TEST_CASE("a weight that is not a number is an error that names its tensor") {
  for (const char* name : {"model.layers.1.mlp.up_proj.weight", "model.layers.0.self_attn.o_proj.weight",
                           "model.embed_tokens.weight", "model.layers.2.input_layernorm.weight"}) {
    for (const char* stored : {"F32", "BF16", "F16"}) {
      TemporaryFolder folder;
      TinyCheckpoint checkpoint(tiny_config("Qwen2ForCausalLM", {}), stored);
      checkpoint.weights().at(name).values.back() = std::numeric_limits<float>::quiet_NaN();
      checkpoint.write(folder.path());
      CHECK_THROWS_WITH(llm::Model::load(folder.path(), {.dtype = "fp32"}),
                        Catch::Contains(name) && Catch::Contains("NaN"));
    }
  }
}

TEST_CASE("weights in fp16 stay in fp16 in memory, and so do keys and values") {
  TemporaryFolder folder;
  const TinyCheckpoint checkpoint(tiny_config("LlamaForCausalLM", {}), "F16");
  checkpoint.write(folder.path());
  const llm::Model model = llm::Model::load(folder.path(), {});
  CHECK(model.weights().layers[0].gate_up.dense().scalar_type() == at::kHalf);
  const std::vector<std::int64_t> ids = {1, 2, 3};
  llm::KvCache cache = model.make_cache(1);
  CHECK(model.forward({.embeddings = model.embed(ids)}, cache).logits.isfinite().all().item<bool>());
  CHECK(cache.layer(0).keys().scalar_type() == at::kHalf);
}
