#include "llm/model/stored_dtype.hpp"

#include <algorithm>
#include <array>

namespace kvmesh::llm {
namespace {

struct Row {
  StoredDtype dtype;
  const char* tag;  ///< of safetensors; none for what that format does not have
  const char* name;
  std::size_t bytes;
  bool floating_point = false;
  std::int64_t block = 1;
};

/// In the order of the enumeration.
constexpr std::array kRows = {
    Row{StoredDtype::kDouble, "F64", "Double", 8, true},
    Row{StoredDtype::kFloat, "F32", "Float", 4, true},
    Row{StoredDtype::kHalf, "F16", "Half", 2, true},
    Row{StoredDtype::kBFloat16, "BF16", "BFloat16", 2, true},
    Row{StoredDtype::kLong, "I64", "Long", 8},
    Row{StoredDtype::kInt, "I32", "Int", 4},
    Row{StoredDtype::kShort, "I16", "Short", 2},
    Row{StoredDtype::kChar, "I8", "Char", 1},
    Row{StoredDtype::kByte, "U8", "Byte", 1},
    Row{StoredDtype::kBool, "BOOL", "Bool", 1},
    Row{.dtype = StoredDtype::kQ4_0, .tag = "", .name = "Q4_0", .bytes = 18, .block = 32},
    Row{.dtype = StoredDtype::kQ4_1, .tag = "", .name = "Q4_1", .bytes = 20, .block = 32},
    Row{.dtype = StoredDtype::kQ5_0, .tag = "", .name = "Q5_0", .bytes = 22, .block = 32},
    Row{.dtype = StoredDtype::kQ5_1, .tag = "", .name = "Q5_1", .bytes = 24, .block = 32},
    Row{.dtype = StoredDtype::kQ8_0, .tag = "", .name = "Q8_0", .bytes = 34, .block = 32},
    Row{.dtype = StoredDtype::kQ2_K, .tag = "", .name = "Q2_K", .bytes = 84, .block = 256},
    Row{.dtype = StoredDtype::kQ3_K, .tag = "", .name = "Q3_K", .bytes = 110, .block = 256},
    Row{.dtype = StoredDtype::kQ4_K, .tag = "", .name = "Q4_K", .bytes = 144, .block = 256},
    Row{.dtype = StoredDtype::kQ5_K, .tag = "", .name = "Q5_K", .bytes = 176, .block = 256},
    Row{.dtype = StoredDtype::kQ6_K, .tag = "", .name = "Q6_K", .bytes = 210, .block = 256},
    Row{.dtype = StoredDtype::kIQ4_NL, .tag = "", .name = "IQ4_NL", .bytes = 18, .block = 32},
};

const Row& row_of(StoredDtype dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::optional<StoredDtype> find_stored_dtype(std::string_view tag) {
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return !tag.empty() && tag == r.tag; });
  return row == kRows.end() ? std::nullopt : std::optional(row->dtype);
}

std::size_t element_size(StoredDtype dtype) { return row_of(dtype).bytes; }
std::int64_t block_length(StoredDtype dtype) { return row_of(dtype).block; }
bool is_quantised(StoredDtype dtype) { return row_of(dtype).block > 1; }
bool is_floating_point(StoredDtype dtype) { return row_of(dtype).floating_point; }
const char* name_of(StoredDtype dtype) { return row_of(dtype).name; }

std::string describe_shape(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

}  // namespace kvmesh::llm
