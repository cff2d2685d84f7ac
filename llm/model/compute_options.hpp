#pragma once

#include <string>

namespace kvmesh::llm {

/// What a model computes in. kAuto: what the weights are stored in.
enum class ComputeDtype { kAuto, kFp32, kBf16, kFp16 };

/// "auto", "fp32", "bf16" or "fp16". Throws Error{kFixInput} for any other.
ComputeDtype parse_compute_dtype(const std::string& name);

/// Throws Error{kFixInput} where `name` is neither "cpu" nor "cuda" nor "cuda:N". Whether there is such a device is
/// not looked at.
void refuse_unknown_device(const std::string& name);

}  // namespace kvmesh::llm
