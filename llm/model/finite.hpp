#pragma once

#include <cstdint>

#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm {

/// Whether none of `count` floating-point numbers of `dtype` at `data` is NaN or infinite. As fast as memory can be
/// read.
bool all_finite(const void* data, std::int64_t count, StoredDtype dtype);

}  // namespace kvmesh::llm
