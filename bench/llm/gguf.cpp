#include "bench/llm/gguf.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <fstream>

#include "bench/llm/llama_cpp.hpp"
#include "bench/llm/machine.hpp"
#include "llm/decode/decoder.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::bench {
namespace {

constexpr int kPrompt = 512, kBefore = 128;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes that this process has written and shares with nobody.
double own_memory() {
  std::ifstream in("/proc/self/smaps_rollup");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("Private_Dirty:")) return std::stod(line.substr(14)) * 1024;
  return 0;
}

class GgufBench {
 public:
  GgufBench(const std::filesystem::path& path, bool quick, const Emit& emit)
      : name_(path.stem().string()), path_(path), quick_(quick), emit_(emit), before_(own_memory()), model_(load()) {}

  void run(const std::filesystem::path& folder) {
    emit_({.name = name_ + " until ready", .ours = ready_, .unit = "s", .note = "load and first token"});
    emit_({.name = name_ + " own memory", .ours = own_, .unit = "MiB", .note = "Private_Dirty after the first token"});
    const auto other = LlamaCpp::start(folder, path_, at::get_num_threads());
    const std::string note = other ? other->description() : "llama.cpp is not there";
    const auto row = [&](const char* what, double bar, const std::function<double()>& ours,
                         const std::function<double()>& theirs) {
      Comparison comparison({.name = name_ + what, .unit = "tokens/s", .bar = bar, .note = note});
      if (!other) return emit_({.name = name_ + what, .ours = ours(), .unit = "tokens/s", .note = note});
      comparison.run(quick_ ? 3 : kPairs, ours, theirs);
      emit_(comparison.row());
    };
    row(
        " prefill 512", 1.3, [&] { return prefill_rate(); }, [&] { return other->prefill(kPrompt); });
    const int steps = quick_ ? 8 : 32;
    row(
        " decode batch 1", 1.2, [&] { return decode_rate(steps); }, [&] { return other->decode(steps); });
    read_rate(steps);
  }

 private:
  llm::Model load() {
    const auto start = std::chrono::steady_clock::now();
    llm::Model model = llm::Model::load(path_, {});
    llm::KvCache cache = model.make_cache(1);
    const std::int64_t first = 1;
    model.forward({.embeddings = model.embed({&first, 1})}, cache);
    ready_ = seconds_since(start);
    own_ = (own_memory() - before_) / (1 << 20);
    return model;
  }

  std::vector<std::int64_t> some_ids(std::int64_t count) const {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * 7919 + 13) % 20000);
    return ids;
  }

  double prefill_rate() const {
    llm::KvCache cache = model_.make_cache(kPrompt);
    const auto start = std::chrono::steady_clock::now();
    model_.forward({.embeddings = model_.embed(some_ids(kPrompt))}, cache);
    return kPrompt / seconds_since(start);
  }

  double decode_rate(int steps) const {
    llm::KvCache cache = model_.make_cache(kBefore + steps);
    model_.forward({.embeddings = model_.embed(some_ids(kBefore))}, cache);
    llm::Decoder decoder(model_);
    std::int64_t id = decoder.step(cache, 1).argmax().item<std::int64_t>();
    const auto start = std::chrono::steady_clock::now();
    for (int s = 0; s < steps; ++s) id = decoder.step(cache, id).argmax().item<std::int64_t>();
    return steps / seconds_since(start);
  }

  void read_rate(int steps) const {
    const MemoryReader memory = memory_reader(at::get_num_threads());
    Comparison rate({.name = name_ + " decode batch 1", .unit = "GB/s weights", .note = "memory read, every core"});
    rate.run(
        quick_ ? 3 : kPairs, [&] { return decode_rate(steps) * weight_bytes(model_) / 1e9; },
        [&] {
          const auto start = std::chrono::steady_clock::now();
          memory.run();
          return memory.bytes / seconds_since(start) / 1e9;
        });
    emit_(rate.row());
  }

  std::string name_;
  std::filesystem::path path_;
  bool quick_;
  const Emit& emit_;
  double before_ = 0, ready_ = 0, own_ = 0;
  llm::Model model_;
};

}  // namespace

void measure_gguf(const std::filesystem::path& model, const std::filesystem::path& llama_cpp, bool quick,
                  const Emit& emit) {
  c10::InferenceMode guard;
  GgufBench(model, quick, emit).run(llama_cpp);
}

}  // namespace kvmesh::bench
