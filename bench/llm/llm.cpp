#include "bench/llm/llm.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <ostream>

#include "base/error.hpp"
#include "bench/llm/gguf.hpp"
#include "bench/llm/machine.hpp"
#include "bench/llm/straightforward.hpp"
#include "llm/decode/decoder.hpp"
#include "llm/model/flops.hpp"
#include "llm/runtime.hpp"

namespace kvmesh::bench {
namespace {

constexpr const char* kLoop = "plain libtorch loop";

double free_memory() {
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    double kib = 0;
    if (word == "MemAvailable:" && in >> kib) return kib * 1024;
  }
  return 0;
}

std::vector<std::int64_t> some_ids(const llm::Model& model, std::int64_t count) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * 7919 + 13) % model.config().vocab_size);
  return ids;
}

std::int64_t best(const at::Tensor& logits) { return logits.argmax().item<std::int64_t>(); }

using Run = std::function<void()>;
using Seconds = std::vector<double>;

/// Runs all in turn, once unmeasured and then `times` times, so that what disturbs the machine disturbs all alike.
std::vector<Seconds> measure(int times, const std::vector<Run>& runs) {
  std::vector<Seconds> seconds(runs.size());
  for (const Run& run : runs) run();
  for (int t = 0; t < times; ++t) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      runs[i]();
      seconds[i].push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  return seconds;
}

/// The rows of one model.
class ModelBench {
 public:
  ModelBench(std::string name, const llm::Model& model, bool large, bool quick, const Emit& emit)
      : name_(std::move(name)), model_(model), loop_(model), large_(large), quick_(quick), emit_(emit) {}

  void run() {
    for (std::int64_t tokens : {128, 1024, 8192})
      if (!quick_ || tokens < 8192) prefill(tokens);
    first_token();
    decode_one();
    decode_eight();
  }

 private:
  int times(int many) const { return quick_ ? std::max(many / 3, 2) : many; }

  /// `work` over the seconds of ours and of the reference, pair by pair.
  void rate(RowSpec spec, double work, const Seconds& ours, double reference_work, const Seconds& reference) {
    std::vector<double> our_rates, reference_rates, ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      our_rates.push_back(work / ours[i]);
      reference_rates.push_back(reference_work / reference[i]);
      ratios.push_back(our_rates[i] / reference_rates[i]);
    }
    emit(spec, median(our_rates), median(reference_rates), ratios);
  }

  void emit(const RowSpec& spec, double ours, double reference, const std::vector<double>& ratios) {
    const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
    emit_({.name = name_ + " " + spec.name,
           .ours = ours,
           .reference = reference,
           .unit = spec.unit,
           .ratio = median(ratios),
           .low = *low,
           .high = *high,
           .bar = spec.bar,
           .higher_is_better = spec.higher_is_better,
           .note = spec.note});
  }

  at::Tensor run_ours(const std::vector<std::int64_t>& ids, llm::KvCache& cache) const {
    return model_.forward({.embeddings = model_.embed(ids)}, cache).logits;
  }

  void prefill(std::int64_t tokens) {
    const std::vector<std::int64_t> ids = some_ids(model_, tokens);
    const LinearRun linear = linear_run(model_, std::min<std::int64_t>(tokens, 1024));
    const Run ours = [&] {
      llm::KvCache cache = model_.make_cache(tokens);
      run_ours(ids, cache);
    };
    const Run loop = [&] {
      Straightforward::Cache cache;
      loop_.forward(ids, cache);
    };
    const bool fits = loop_.score_bytes(tokens) < 0.3 * free_memory();
    std::vector<Run> runs = {ours, linear.run};
    if (fits) runs.push_back(loop);
    const int many = tokens > 4096 ? 2 : large_ ? 6 : 15;
    const std::vector<Seconds> seconds = measure(times(many), runs);
    const auto n = static_cast<double>(tokens);
    const std::string what = "prefill " + std::to_string(tokens);
    if (fits) rate({.name = what, .unit = "tokens/s", .note = kLoop}, n, seconds[0], n, seconds[2]);
    const std::vector<std::int64_t> nothing(static_cast<std::size_t>(model_.config().num_hidden_layers), 0);
    rate({.name = what,
          .unit = "GFLOP/s",
          .bar = large_ && tokens == 1024 ? 0.6 : 0,
          .note = "libtorch's linear at its shapes"},
         llm::forward_flops(model_.config(), tokens, nothing, 1) / 1e9, seconds[0], linear.flops / 1e9, seconds[1]);
    if (tokens >= 1024) memory(what + " memory", ours, fits ? loop : Run());
  }

  /// What a run takes beyond what is resident before it.
  void memory(const std::string& name, const Run& ours, const Run& loop) {
    auto peak_of = [](const Run& run) {
      if (!run || !reset_peak_memory()) return 0.0;
      const double before = resident_memory();
      run();
      return (peak_memory() - before) / (1 << 20);
    };
    const double mine = peak_of(ours), theirs = peak_of(loop);
    if (mine <= 0) return;
    emit({.name = name, .unit = "MiB", .higher_is_better = false, .note = theirs > 0 ? kLoop : "does not fit"}, mine,
         theirs, {theirs > 0 ? mine / theirs : 0});
  }

  void first_token() {
    const std::vector<std::int64_t> ids = some_ids(model_, 256);
    const std::vector<Seconds> seconds = measure(times(9), {[&] {
                                                              llm::KvCache cache = model_.make_cache(256);
                                                              best(run_ours(ids, cache));
                                                            },
                                                            [&] {
                                                              Straightforward::Cache cache;
                                                              best(loop_.forward(ids, cache));
                                                            }});
    std::vector<double> ratios;
    for (std::size_t i = 0; i < seconds[0].size(); ++i) ratios.push_back(seconds[0][i] / seconds[1][i]);
    emit({.name = "first of 256 tokens", .unit = "ms", .higher_is_better = false, .note = kLoop},
         1e3 * median(seconds[0]), 1e3 * median(seconds[1]), ratios);
  }

  void decode_one() {
    const int steps = large_ ? 8 : 64;
    const std::vector<std::int64_t> ids = some_ids(model_, 128);
    llm::KvCache cache = model_.make_cache(128 + steps * 40);
    run_ours(ids, cache);
    Straightforward::Cache loop_cache;
    loop_.forward(ids, loop_cache);
    llm::Decoder decoder(model_);
    std::vector<Run> runs = {[&] {
                               std::int64_t id = 1;
                               for (int s = 0; s < steps; ++s) id = best(decoder.step(cache, id));
                             },
                             [&] {
                               std::int64_t id = 1;
                               for (int s = 0; s < steps; ++s) id = best(loop_.forward({id}, loop_cache));
                             }};
    const MemoryReader memory = memory_reader(at::get_num_threads());
    // A small model's weights stay in the processor's caches: memory is no limit to it.
    if (large_) runs.push_back(memory.run);
    const std::vector<Seconds> seconds = measure(times(9), runs);
    rate({.name = "decode batch 1", .unit = "tokens/s", .bar = large_ ? 0 : 1.5, .note = kLoop}, steps, seconds[0],
         steps, seconds[1]);
    if (!large_) return;
    const double read = weight_bytes(model_) * steps / 1e9;
    rate({.name = "decode batch 1", .unit = "GB/s weights", .bar = 0.7, .note = "memory read, every core"}, read,
         seconds[0], memory.bytes / 1e9, seconds[2]);
  }

  void decode_eight() {
    const int steps = large_ ? 4 : 64;
    std::vector<llm::KvCache> caches;
    std::vector<Straightforward::Cache> loop_caches(8);
    std::vector<llm::NextToken> next;
    for (std::size_t s = 0; s < 8; ++s) {
      const std::vector<std::int64_t> ids = some_ids(model_, 64 + 8 * static_cast<std::int64_t>(s));
      caches.push_back(model_.make_cache(128 + steps * 40));
      run_ours(ids, caches.back());
      loop_.forward(ids, loop_caches[s]);
    }
    for (llm::KvCache& cache : caches) next.push_back({&cache, 1});
    llm::Decoder decoder(model_);
    const std::vector<Seconds> seconds =
        measure(times(6), {[&] {
                             for (int s = 0; s < steps; ++s) {
                               const at::Tensor& logits = decoder.step(next);
                               for (std::size_t i = 0; i < 8; ++i)
                                 next[i].id = best(logits.select(0, static_cast<std::int64_t>(i)));
                             }
                           },
                           [&] {
                             for (Straightforward::Cache& cache : loop_caches)
                               for (int s = 0; s < steps; ++s) best(loop_.forward({1}, cache));
                           }});
    rate({.name = "decode batch 8", .unit = "tokens/s", .note = "the loop, one by one"}, 8 * steps, seconds[0],
         8 * steps, seconds[1]);
  }

  std::string name_;
  const llm::Model& model_;
  Straightforward loop_;
  bool large_, quick_;
  const Emit& emit_;
};

/// Weights of 16 bits beside the same in fp32, both of ours: half the bytes to read, and no instructions for them on
/// most processors.
class TypeBench {
 public:
  TypeBench(at::ScalarType type, const llm::Model& wide, bool quick, const Emit& emit)
      : name_(type == at::kHalf ? "1B/4 fp16" : "1B/4 bf16"),
        narrow_(synthetic_1b(type, kLayers)),
        wide_(wide),
        quick_(quick),
        emit_(emit) {}

  static constexpr int kLayers = 4;

  void run() {
    Comparison prefill({.name = name_ + " prefill 512", .unit = "tokens/s", .bar = 0.9, .note = "ours in fp32"});
    prefill.run(
        quick_ ? 3 : kPairs, [&] { return prefill_rate(narrow_); }, [&] { return prefill_rate(wide_); });
    emit_(prefill.row());
    Decoding narrow(narrow_), wide(wide_);
    Comparison decode({.name = name_ + " decode batch 1", .unit = "tokens/s", .bar = 1.8, .note = "ours in fp32"});
    decode.run(
        quick_ ? 3 : kPairs, [&] { return narrow.rate(); }, [&] { return wide.rate(); });
    emit_(decode.row());
  }

 private:
  static double prefill_rate(const llm::Model& model) {
    const std::vector<std::int64_t> ids = some_ids(model, 512);
    llm::KvCache cache = model.make_cache(512);
    const auto start = std::chrono::steady_clock::now();
    model.forward({.embeddings = model.embed(ids)}, cache);
    return 512 / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  class Decoding {
   public:
    explicit Decoding(const llm::Model& model) : cache_(model.make_cache(64 + 20 * kSteps)), decoder_(model) {
      model.forward({.embeddings = model.embed(some_ids(model, 64))}, cache_);
    }
    double rate() {
      const auto start = std::chrono::steady_clock::now();
      for (int s = 0; s < kSteps; ++s) decoder_.step(cache_, 1);
      return kSteps / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }

   private:
    static constexpr int kSteps = 16;
    llm::KvCache cache_;
    llm::Decoder decoder_;
  };

  const std::string name_;
  const llm::Model narrow_;
  const llm::Model& wide_;
  const bool quick_;
  const Emit& emit_;
};

}  // namespace

void measure_types(bool quick, const Emit& emit) {
  c10::InferenceMode guard;
  const llm::Model wide = synthetic_1b(at::kFloat, TypeBench::kLayers);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) TypeBench(type, wide, quick, emit).run();
}

void measure_model(const std::string& name, const llm::Model& model, bool large, bool quick, const Emit& emit) {
  const llm::ModelConfig& c = model.config();
  if (c.family != "llama" || c.qkv_bias || c.attention_output_bias || c.mlp_bias)
    fail_input("the loop to compare with is a Llama without biases; this model is ", c.architecture);
  c10::InferenceMode guard;
  ModelBench(name, model, large, quick, emit).run();
}

bool run_llm(const LlmOptions& options, bool json, std::ostream& out) {
  llm::set_compute_threads(options.threads);
  bool met = true;
  const Emit emit = [&](const Row& row) {
    met = met && row.met();
    json ? print_json(row, out) : print(row, out);
  };
  if (!options.gguf.empty()) {
    if (!json) print_head(out);
    for (const std::filesystem::path& file : options.gguf) measure_gguf(file, options.llama_cpp, options.quick, emit);
    return met;
  }
  const llm::Model small = llm::Model::load(options.model_dir, {});
  if (!json) print_head(out);
  measure_model("small", small, /*large=*/false, options.quick, emit);
  measure_model("1B", synthetic_1b(at::kBFloat16), /*large=*/true, options.quick, emit);
  measure_types(options.quick, emit);
  if (options.more) options.more(emit);
  return met;
}

}  // namespace kvmesh::bench
