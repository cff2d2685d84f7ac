#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvmesh::llm {

/// What the numbers of a tensor in a safetensors or GGUF file are. From kQ4_0 on they are quantised: a row is a whole
/// number of blocks, each of some numbers that share their scales; llm/model/dequantize.hpp says what they mean.
enum class StoredDtype {
  kDouble,
  kFloat,
  kHalf,
  kBFloat16,
  kLong,
  kInt,
  kShort,
  kChar,
  kByte,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
};

/// The one that a safetensors header calls `tag`, as in "BF16"; none where we do not read it.
std::optional<StoredDtype> find_stored_dtype(std::string_view tag);
/// Bytes of a number; of a quantised dtype, of a block.
std::size_t element_size(StoredDtype dtype);
/// Numbers of a block; 1 where the dtype is not quantised.
std::int64_t block_length(StoredDtype dtype);
bool is_floating_point(StoredDtype dtype);
bool is_quantised(StoredDtype dtype);
/// As libtorch and `kvmesh inspect` call it: "BFloat16", "Float"; quantised ones as GGUF does: "Q4_K".
const char* name_of(StoredDtype dtype);

/// "[128, 352]".
std::string describe_shape(std::span<const std::int64_t> shape);

}  // namespace kvmesh::llm
