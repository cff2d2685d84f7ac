#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace kvmesh::bench {

/// llama.cpp in a process of its own (llama_cpp.mjs, run by Node.js), as what to compare with. A resource.
class LlamaCpp {
 public:
  /// `folder`: where npm has installed node-llama-cpp. Null where it, or Node.js, is not there.
  static std::unique_ptr<LlamaCpp> start(const std::filesystem::path& folder, const std::filesystem::path& model,
                                         int threads);
  ~LlamaCpp();
  LlamaCpp(const LlamaCpp&) = delete;
  LlamaCpp& operator=(const LlamaCpp&) = delete;

  /// Its release, threads and what it found of the processor.
  const std::string& description() const { return description_; }
  /// Tokens a second: of a prompt of `tokens`; of as many behind a prompt of 128. Throws Error{kGiveUp} where the
  /// process has ended.
  double prefill(int tokens) { return ask("prefill", tokens); }
  double decode(int tokens) { return ask("decode", tokens); }

 private:
  LlamaCpp() = default;
  double ask(const char* what, int tokens);
  std::string read_line();

  int child_ = -1;
  int to_ = -1, from_ = -1;
  std::string description_;
};

}  // namespace kvmesh::bench
