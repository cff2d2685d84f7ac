#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>

namespace kvmesh::llm {

/// Whether none of `count` floating-point numbers of `dtype` at `data` is NaN or infinite. As fast as memory can be
/// read.
bool all_finite(const void* data, std::int64_t count, c10::ScalarType dtype);

}  // namespace kvmesh::llm
