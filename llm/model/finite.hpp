#pragma once

#include <cstddef>
#include <span>

#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm {

/// Whether none of the floating-point numbers of `dtype` is NaN or infinite; of a quantised dtype, none of its scales.
/// As fast as memory can be read.
bool all_finite(std::span<const std::byte> numbers, StoredDtype dtype);

}  // namespace kvmesh::llm
