#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/places.hpp"

namespace kvmesh::test {

inline constexpr const char* kSmolLm2 = "SmolLM2-135M-Instruct.Q4_1.gguf";
inline constexpr const char* kGemma3 = "gemma-3-270m-q4_k_m.gguf";

/// The file where `scripts/get-model` puts it when it is told `models`; none, with a warning, where nobody has.
inline std::optional<std::filesystem::path> find_real_model(const std::string& file) {
  const std::filesystem::path path = source_dir() / "models" / file;
  if (std::filesystem::exists(path)) return path;
  WARN("skipped: " << path.string() << " is not there; scripts/get-model fetches it");
  return std::nullopt;
}

}  // namespace kvmesh::test
