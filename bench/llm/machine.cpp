#include "bench/llm/machine.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <malloc.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <thread>
#include <vector>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "llm/runtime.hpp"

namespace kvmesh::bench {
namespace {

/// Reads `streams` runs of `count` words each, one behind the other in memory, side by side: a kernel that multiplies
/// several rows at a time reads so, and more of the processor's prefetchers take part. ThreadSanitizer gets one
/// build of it: what chooses between several is instrumented too, runs before the sanitizer does, and crashes.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
std::uint64_t
read_all(const std::uint64_t* from, std::size_t count, std::size_t streams, std::size_t ahead) {
  std::uint64_t seen[32] = {};
  for (std::size_t i = 0; i + 32 <= count; i += 32) {
    for (std::size_t s = 0; s < streams; ++s) {
      const std::uint64_t* words = from + s * count + i;
      for (std::size_t line = 0; line < 32; line += 8) __builtin_prefetch(words + ahead + line);
      for (std::size_t j = 0; j < 32; ++j) seen[j] |= words[j];
    }
  }
  std::uint64_t all = 0;
  for (std::uint64_t one : seen) all |= one;
  return all;
}

/// How each thread reads its part.
struct ReadPattern {
  std::size_t streams = 1;
  std::size_t words_ahead = 1024;
};

constexpr std::size_t kReadBytes = std::size_t{1} << 30;

/// 1 GiB in large pages, where the kernel gives them: a reader is not to wait for page tables.
std::shared_ptr<std::uint64_t> large_memory() {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  void* memory = std::aligned_alloc(kLargePage, kReadBytes);
  if (memory == nullptr) throw std::bad_alloc();
  ::madvise(memory, kReadBytes, MADV_HUGEPAGE);
  std::memset(memory, 1, kReadBytes);
  return {static_cast<std::uint64_t*>(memory), [](std::uint64_t* one) { std::free(one); }};
}

void read_once(const std::uint64_t* data, int threads, ReadPattern pattern) {
  const std::size_t part = kReadBytes / 8 / static_cast<std::size_t>(threads);
  std::atomic<std::uint64_t> seen{0};
  std::vector<std::jthread> readers;
  for (int t = 0; t < threads; ++t)
    readers.emplace_back([&, t] {
      seen |= read_all(data + static_cast<std::size_t>(t) * part, part / pattern.streams, pattern.streams,
                       pattern.words_ahead);
    });
}

/// 16-bit numbers of a random sign and mantissa between 1/64 and 1/32, the size that trained weights have.
at::Tensor random_weights(at::IntArrayRef shape, std::uint64_t& state) {
  at::Tensor tensor = at::empty(shape, at::kBFloat16);
  auto* words = static_cast<std::uint64_t*>(tensor.data_ptr());
  for (std::int64_t i = 0; i < tensor.numel() / 4; ++i) {
    state ^= state << 13;  // xorshift64, Marsaglia 2003
    state ^= state >> 7;
    state ^= state << 17;
    words[i] = (state & 0x807f807f807f807fULL) | 0x3c803c803c803c80ULL;
  }
  return tensor;
}

/// A line of /proc/self/status in bytes.
double status_bytes(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(field + ":")) continue;
    std::istringstream rest(line.substr(field.size() + 1));
    double kib = 0;
    rest >> kib;
    return kib * 1024;
  }
  return 0;
}

}  // namespace

MemoryReader memory_reader(int threads) {
  const std::shared_ptr<std::uint64_t> data = large_memory();
  ReadPattern best;
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t streams : {1, 2, 4, 8}) {
      for (const std::size_t ahead : {256, 1024}) {
        const auto begin = std::chrono::steady_clock::now();
        read_once(data.get(), threads, {streams, ahead});
        const auto time = std::chrono::steady_clock::now() - begin;
        if (time < shortest) best = {streams, ahead};
        shortest = std::min(shortest, time);
      }
    }
  }
  return {[data, threads, best] { read_once(data.get(), threads, best); }, static_cast<double>(kReadBytes)};
}

LinearRun linear_run(const llm::Model& model, std::int64_t tokens) {
  const llm::LayerWeights& layer = model.weights().layers.front();
  std::vector<std::pair<at::Tensor, at::Tensor>> products;  // input and weight
  double flops = 0;
  for (const llm::Matrix& weight : {layer.qkv, layer.out, layer.gate_up, layer.down}) {
    c10::InferenceMode guard;
    const at::Tensor dense = weight.dense().defined() ? weight.dense() : weight.widened();
    const at::Tensor taken = dense.to(llm::product_type(dense.scalar_type()));
    products.emplace_back(at::ones({tokens, taken.size(1)}, taken.options()), taken);
    flops += 2.0 * static_cast<double>(tokens) * static_cast<double>(taken.numel());
  }
  auto run = [products] {
    c10::InferenceMode guard;
    for (const auto& [input, weight] : products) at::linear(input, weight);
  };
  return {run, flops};
}

double weight_bytes(const llm::Model& model) {
  const llm::Weights& weights = model.weights();
  double bytes = weights.lm_head.bytes();
  for (const llm::LayerWeights& layer : weights.layers)
    for (const llm::Matrix& weight : {layer.qkv, layer.out, layer.gate_up, layer.down}) bytes += weight.bytes();
  return bytes;
}

llm::Model synthetic_1b(at::ScalarType type, int layers) {
  llm::ModelConfig config;
  config.family = "llama";
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = 32000;
  config.hidden_size = 2048;
  config.intermediate_size = 8192;
  config.num_hidden_layers = layers;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 64;
  config.max_position_embeddings = config.position_limit = 131072;
  config.rms_norm_eps = 1e-5;
  config.ropes = {llm::RopeConfig{.theta = 500000}};
  config.layers.resize(static_cast<std::size_t>(layers));
  config.attention_scale = 0.125;
  std::uint64_t state = 88172645463325252ULL;
  llm::Weights weights;
  weights.embed_tokens = random_weights({32000, 2048}, state).to(type);
  weights.lm_head = random_weights({32000, 2048}, state).to(type);
  weights.final_norm = at::ones({2048}, type);
  for (int l = 0; l < layers; ++l) {
    llm::LayerWeights layer;
    layer.attention_norm = layer.mlp_norm = weights.final_norm;
    layer.qkv = random_weights({48 * 64, 2048}, state).to(type);
    layer.out = random_weights({2048, 2048}, state).to(type);
    layer.gate_up = random_weights({2 * 8192, 2048}, state).to(type);
    layer.down = random_weights({2048, 8192}, state).to(type);
    weights.layers.push_back(std::move(layer));
  }
  return llm::Model::of(std::move(config), std::move(weights));
}

bool has_amx() {
#ifdef __x86_64__
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kAmxBf16 = 1U << 22;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAmxBf16) != 0;
#else
  return false;
#endif
}

bool reset_peak_memory() {
  malloc_trim(0);
  std::ofstream out("/proc/self/clear_refs");
  out << 5 << std::flush;
  return out.good();
}

double peak_memory() { return status_bytes("VmHWM"); }
double resident_memory() { return status_bytes("VmRSS"); }

}  // namespace kvmesh::bench
