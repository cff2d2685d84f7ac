// Every family on a device against the same model on the CPU, and what KV copies beside the compute stream are worth.
// Needs neither Boost nor ZeroMQ nor a checkpoint: device_check [cuda:0]. Ends with 1 where numbers differ, with 77
// where there is no such device.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include "base/error.hpp"
#include "llm/cache/device_copies.hpp"
#include "llm/decode/decoder.hpp"
#include "llm/model/model.hpp"
#include "llm/runtime.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;

namespace {

constexpr double kFp32 = 1e-3, kBf16 = 2e-2;  // largest difference of logits; relative to their norm

/// A prompt of 40 tokens, the last 10 of them one by one.
at::Tensor logits_of(const Model& model) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < 40; ++i) ids.push_back((i * 37 + 11) % 300);
  const std::span<const std::int64_t> all(ids);
  KvCache cache = model.make_cache(1);
  std::vector<at::Tensor> rows;
  rows.push_back(model.forward({.embeddings = model.embed(all.first(30)), .logits = LogitRows::kAll}, cache).logits);
  for (std::size_t i = 30; i < ids.size(); ++i)
    rows.push_back(
        model.forward({.embeddings = model.embed(all.subspan(i, 1)), .phase = Phase::kDecode}, cache).logits);
  return at::cat(rows).to(at::kCPU, at::kDouble);
}

bool compare_families(const std::string& device) {
  bool good = true;
  std::printf("%-52s %12s %12s\n", "family", "fp32, most", "bf16, rel.");
  for (const test::TinyFamily& family : test::tiny_families()) {
    test::TemporaryFolder folder;
    test::TinyCheckpoint(family.config, "BF16").write(folder.path());
    auto load = [&](const char* dtype, const std::string& where) {
      return logits_of(Model::load(folder.path(), {.dtype = dtype, .device = where}));
    };
    const at::Tensor exact = load("fp32", "cpu");
    const double fp32 = (load("fp32", device) - exact).abs().max().item<double>();
    const double bf16 = ((load("bf16", device) - exact).norm() / exact.norm()).item<double>();
    good = good && fp32 < kFp32 && bf16 < kBf16;
    std::printf("%-52s %12.2e %12.2e%s\n", family.name.c_str(), fp32, bf16,
                fp32 < kFp32 && bf16 < kBf16 ? "" : "  DIFFERS");
  }
  return good;
}

/// A Llama of a billion weights: 16 layers, width 2,048, in bf16, random.
Model large_model(at::Device device) {
  test::TemporaryFolder folder;
  folder.write("config.json", test::tiny_config("LlamaForCausalLM", {{"hidden_size", 2048},
                                                                     {"intermediate_size", 8192},
                                                                     {"num_hidden_layers", 16},
                                                                     {"num_attention_heads", 32},
                                                                     {"num_key_value_heads", 8},
                                                                     {"vocab_size", 32000},
                                                                     {"max_position_embeddings", 65536},
                                                                     {"tie_word_embeddings", true}})
                                  .dump());
  const ModelConfig config = read_config(folder.path());
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(device);
  auto random = [&](at::IntArrayRef shape) { return at::randn(shape, options).mul_(0.02); };
  Weights weights;
  weights.embed_tokens = weights.lm_head = random({config.vocab_size, config.hidden_size});
  weights.final_norm = at::ones({config.hidden_size}, options);
  const std::int64_t q = config.num_attention_heads * config.head_dim,
                     kv = config.num_key_value_heads * config.head_dim;
  for (std::int64_t l = 0; l < config.num_hidden_layers; ++l) {
    LayerWeights layer;
    layer.attention_norm = layer.mlp_norm = at::ones({config.hidden_size}, options);
    layer.qkv = random({q + 2 * kv, config.hidden_size});
    layer.out = random({config.hidden_size, q});
    layer.gate_up = random({2 * config.intermediate_size, config.hidden_size});
    layer.down = random({config.hidden_size, config.intermediate_size});
    weights.layers.push_back(std::move(layer));
  }
  return Model::of(config, std::move(weights));
}

enum class Leaving { kNothing, kOnComputeStream, kBeside };

/// Rows of one layer on the host, as one chunk of the prefill made them.
struct Piece {
  int layer = 0;
  std::int64_t begin = 0;
  at::Tensor keys, values;
};

at::Tensor rows_of(const at::Tensor& all, const Piece& piece) { return all.narrow(0, piece.begin, piece.keys.size(0)); }

void check(const std::vector<Piece>& host, const KvCache& cache) {
  for (const Piece& piece : host) {
    const LayerCache& layer = cache.layer(piece.layer);
    if (!at::equal(rows_of(layer.keys(), piece).cpu(), piece.keys) ||
        !at::equal(rows_of(layer.values(), piece).cpu(), piece.values))
      throw Error(ErrorKind::kGiveUp, cat("pairs of layer ", piece.layer, " were damaged on their way to the host"));
  }
}

/// Milliseconds of a prefill whose layers' pairs leave for the host, until all have arrived there.
double prefill_ms(const Model& model, const at::Tensor& embeddings, Leaving leaving, std::vector<Piece>& host) {
  DeviceCopies copies(model.device());
  KvCache cache = model.make_cache(embeddings.size(0));
  std::vector<std::int64_t> left(static_cast<std::size_t>(cache.layers()));
  host.clear();
  copies.beside([] {});
  const auto begin = std::chrono::steady_clock::now();
  ForwardInput input{.embeddings = embeddings};
  input.on_layer = [&](int number) {
    if (leaving == Leaving::kNothing) return;
    const LayerCache& layer = cache.layer(number);
    std::int64_t& from = left[static_cast<std::size_t>(number)];
    auto to_host = [&](const at::Tensor& all) {
      const at::Tensor rows = all.narrow(0, from, layer.length() - from);
      return leaving == Leaving::kBeside ? copies.to_host(rows) : rows.cpu();
    };
    host.push_back({number, from, to_host(layer.keys()), to_host(layer.values())});
    from = layer.length();
  };
  model.forward(input, cache).logits.cpu();
  copies.wait();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  check(host, cache);
  return took.count();
}

/// Milliseconds until a context's pairs have arrived on the device, beside the compute stream, from pinned memory or
/// not.
double arrival_ms(const Model& model, const std::vector<Piece>& host, bool pinned) {
  const DeviceCopies copies(model.device());
  std::vector<at::Tensor> from, to;
  for (const Piece& piece : host) {
    for (const at::Tensor& rows : {piece.keys, piece.values}) {
      from.push_back(pinned ? rows : rows.clone());
      to.push_back(at::empty(rows.sizes(), rows.options().device(model.device()).pinned_memory(false)));
    }
  }
  copies.beside([] {});
  const auto begin = std::chrono::steady_clock::now();
  copies.beside([&] {
    for (std::size_t i = 0; i < from.size(); ++i) to[i].copy_(from[i], /*non_blocking=*/pinned);
  });
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  for (std::size_t i = 0; i < to.size(); ++i)
    if (!at::equal(to[i].cpu(), from[i]))
      throw Error(ErrorKind::kGiveUp, "pairs were damaged on their way to the device");
  return took.count();
}

/// Milliseconds a token of greedy decoding behind `embeddings`.
double decode_ms(const Model& model, const at::Tensor& embeddings) {
  constexpr int kTokens = 64;
  KvCache cache = model.make_cache(embeddings.size(0) + kTokens);
  std::int64_t id = model.forward({.embeddings = embeddings}, cache).logits.argmax(-1).item<std::int64_t>();
  Decoder decoder(model);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kTokens; ++i) id = decoder.step(cache, id).argmax(-1).item<std::int64_t>();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return took.count() / kTokens;
}

template <typename Measure>
double best_of(int times, Measure measure) {
  double best = measure();
  for (int i = 1; i < times; ++i) best = std::min(best, measure());
  return best;
}

void measure(at::Device device) {
  const Model model = large_model(device);
  std::vector<Piece> host;
  std::printf("\n1B shape, bf16; the pairs of each layer to the host and back\n%8s %12s %16s %14s %14s %14s %12s\n",
              "tokens", "prefill ms", "+ leaving, same", "beside", "arriving", "unpinned", "decode ms");
  for (const std::int64_t tokens : {1024, 8192}) {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(tokens));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 37 % 32000);
    const at::Tensor embeddings = model.embed(ids);
    const double alone = best_of(5, [&] { return prefill_ms(model, embeddings, Leaving::kNothing, host); });
    const double same = best_of(5, [&] { return prefill_ms(model, embeddings, Leaving::kOnComputeStream, host); });
    const double beside = best_of(5, [&] { return prefill_ms(model, embeddings, Leaving::kBeside, host); });
    const double pinned = best_of(5, [&] { return arrival_ms(model, host, true); });
    const double pageable = best_of(5, [&] { return arrival_ms(model, host, false); });
    const double decode = best_of(3, [&] { return decode_ms(model, embeddings); });
    std::printf("%8ld %12.1f %16.1f %14.1f %14.1f %14.1f %12.2f\n", static_cast<long>(tokens), alone, same, beside,
                pinned, pageable, decode);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "cuda:0";
  try {
    prepare_process(argv);
    c10::InferenceMode guard;
    const at::Device device(name);
    if (device.is_cuda() && !at::hasCUDA()) {
      std::printf("skipped: this libtorch sees no CUDA device\n");
      return 77;
    }
    const bool good = compare_families(name);
    if (!device.is_cpu()) measure(device);
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_check: %s\n", error.what());
    return 1;
  }
}
