#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvmesh::llm {

/// What the numbers of a tensor in a safetensors file are.
enum class StoredDtype { kDouble, kFloat, kHalf, kBFloat16, kLong, kInt, kShort, kChar, kByte, kBool };

/// The one that a safetensors header calls `tag`, as in "BF16"; none where we do not read it.
std::optional<StoredDtype> find_stored_dtype(std::string_view tag);
std::size_t element_size(StoredDtype dtype);
bool is_floating_point(StoredDtype dtype);
/// As libtorch and `kvmesh inspect` call it: "BFloat16", "Float".
const char* name_of(StoredDtype dtype);

/// "[128, 352]".
std::string describe_shape(std::span<const std::int64_t> shape);

}  // namespace kvmesh::llm
