#include "llm/model/stored_dtype.hpp"

#include <algorithm>
#include <array>

namespace kvmesh::llm {
namespace {

struct Row {
  StoredDtype dtype;
  const char* tag;
  const char* name;
  std::size_t bytes;
  bool floating_point;
};

/// In the order of the enumeration.
constexpr std::array kRows = {
    Row{StoredDtype::kDouble, "F64", "Double", 8, true}, Row{StoredDtype::kFloat, "F32", "Float", 4, true},
    Row{StoredDtype::kHalf, "F16", "Half", 2, true},     Row{StoredDtype::kBFloat16, "BF16", "BFloat16", 2, true},
    Row{StoredDtype::kLong, "I64", "Long", 8, false},    Row{StoredDtype::kInt, "I32", "Int", 4, false},
    Row{StoredDtype::kShort, "I16", "Short", 2, false},  Row{StoredDtype::kChar, "I8", "Char", 1, false},
    Row{StoredDtype::kByte, "U8", "Byte", 1, false},     Row{StoredDtype::kBool, "BOOL", "Bool", 1, false},
};

const Row& row_of(StoredDtype dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::optional<StoredDtype> find_stored_dtype(std::string_view tag) {
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return tag == r.tag; });
  return row == kRows.end() ? std::nullopt : std::optional(row->dtype);
}

std::size_t element_size(StoredDtype dtype) { return row_of(dtype).bytes; }
bool is_floating_point(StoredDtype dtype) { return row_of(dtype).floating_point; }
const char* name_of(StoredDtype dtype) { return row_of(dtype).name; }

std::string describe_shape(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

}  // namespace kvmesh::llm
