#include "llm/model/compute_options.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm {

ComputeDtype parse_compute_dtype(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, ComputeDtype>, 4> kNames = {{{"auto", ComputeDtype::kAuto},
                                                                                {"fp32", ComputeDtype::kFp32},
                                                                                {"bf16", ComputeDtype::kBf16},
                                                                                {"fp16", ComputeDtype::kFp16}}};
  for (const auto& [known, dtype] : kNames)
    if (name == known) return dtype;
  fail_input("dtype \"", name, "\" is not known; use auto, fp32, bf16 or fp16");
}

void refuse_unknown_device(const std::string& name) {
  constexpr std::string_view kCuda = "cuda:";
  // libtorch counts devices in a signed byte.
  const std::string_view number = name.starts_with(kCuda) ? std::string_view(name).substr(kCuda.size()) : "";
  const bool numbered = !number.empty() && number.size() <= 2 &&
                        std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (name != "cpu" && name != "cuda" && !numbered) fail_input("device \"", name, "\" is not known; use cpu or cuda:N");
}

}  // namespace kvmesh::llm
