#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <vector>

#include "bench/row.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::bench {

struct LlmOptions {
  std::filesystem::path model_dir = "models/tiny";  ///< the small model
  bool quick = false;                               ///< no prompts of 8,192 tokens, fewer runs
  int threads = 0;                                  ///< 0: every core
  std::vector<std::filesystem::path> gguf;          ///< files that measure_gguf() takes, and none of the rest then
  std::filesystem::path llama_cpp;                  ///< where npm has installed node-llama-cpp; empty: nowhere
  std::function<void(const Emit&)> more;            ///< the caller's own rows, behind the others; may be empty
};

/// Prefill, decode, time to first token and peak memory of `model`, each beside a straightforward libtorch loop and
/// beside what the machine can do at the same time; rows are handed to `emit` as they are measured. `large`: one whose
/// weights no cache holds. Throws Error{kFixInput} for a model that the loop does not know: it is a Llama without
/// biases.
void measure_model(const std::string& name, const llm::Model& model, bool large, bool quick, const Emit& emit);

/// Prefill and decode of a model in bf16 and in fp16, four layers of a 1B one, beside the same in fp32.
void measure_types(bool quick, const Emit& emit);

/// Both models, the one in `model_dir` and a synthetic 1B one; prints rows as they come, as text or as one JSON object
/// a line, then measure_types(). False: a bar was missed.
bool run_llm(const LlmOptions& options, bool json, std::ostream& out);

}  // namespace kvmesh::bench
