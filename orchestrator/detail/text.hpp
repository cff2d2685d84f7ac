#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace kvmesh::orchestrator::detail {

inline double seconds(std::chrono::steady_clock::duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) / 1000.0;
}

inline std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += cat(text.empty() ? "" : between, part);
  return text;
}

}  // namespace kvmesh::orchestrator::detail
