#pragma once

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/places.hpp"

/// Golden vectors and how closely they must be met.
namespace kvmesh::test {

inline std::filesystem::path tiny_model() { return source_dir() / "models" / "tiny"; }
inline std::filesystem::path golden_llama() { return source_dir() / "tests" / "golden" / "llama32-tied-headdim"; }
/// Small random checkpoints with what transformers and the released code make of them.
inline std::vector<std::filesystem::path> golden_checkpoints() {
  const std::filesystem::path golden = source_dir() / "tests" / "golden";
  return {golden_llama(), golden / "qwen2", golden / "mistral-v03"};
}
/// Material that is not part of the project; tests that use it skip visibly when it is not there.
inline std::filesystem::path shared_dir() { return source_dir() / ".." / "shared"; }

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  INFO("reading " << path);
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

/// What stands under `key` in such a file, as a value: a loop over read_json(path)[key] begins when that file is gone
/// again, and may end at once.
inline nlohmann::json read_list(const std::filesystem::path& path, const std::string& key) {
  const nlohmann::json all = read_json(path);
  REQUIRE_FALSE(all.at(key).empty());
  return all.at(key);
}

inline std::vector<std::int64_t> ids_of(const nlohmann::json& json) { return json.get<std::vector<std::int64_t>>(); }

inline at::Tensor tensor_of(const nlohmann::json& json) {
  return at::tensor(json.get<std::vector<float>>(), at::kFloat);
}

/// Largest absolute difference.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

inline std::vector<std::int64_t> argmax_of(const at::Tensor& logits) {
  const at::Tensor best = logits.argmax(-1).contiguous();
  return {best.data_ptr<std::int64_t>(), best.data_ptr<std::int64_t>() + best.numel()};
}

}  // namespace kvmesh::test
