#include "llm/model/gguf.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "llm/model/folder_files.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::size_t kFixedBytes = 24;       // magic, version, two counts
constexpr std::int64_t kDefaultAlignment = 32;
constexpr std::int64_t kGreatestAlignment = 1 << 20;
constexpr std::uint32_t kMostDimensions = 4;
constexpr std::size_t kLongestTensorName = 255;  // llama.cpp allows 63
constexpr std::size_t kLeastKeyBytes = 8 + 1 + 4 + 1, kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
constexpr std::uint64_t kFarthest = std::uint64_t{1} << 60;  // sums of three do not overflow
constexpr std::int64_t kMostParts = 9999;

struct TensorType {
  std::uint32_t number;  ///< as the format numbers it
  const char* name;
  std::optional<StoredDtype> dtype;  ///< none: not read
};
constexpr std::array kTensorTypes = {
    TensorType{0, "F32", StoredDtype::kFloat},
    TensorType{1, "F16", StoredDtype::kHalf},
    TensorType{2, "Q4_0", StoredDtype::kQ4_0},
    TensorType{3, "Q4_1", StoredDtype::kQ4_1},
    TensorType{6, "Q5_0", StoredDtype::kQ5_0},
    TensorType{7, "Q5_1", StoredDtype::kQ5_1},
    TensorType{8, "Q8_0", StoredDtype::kQ8_0},
    TensorType{9, "Q8_1", {}},
    TensorType{10, "Q2_K", StoredDtype::kQ2_K},
    TensorType{11, "Q3_K", StoredDtype::kQ3_K},
    TensorType{12, "Q4_K", StoredDtype::kQ4_K},
    TensorType{13, "Q5_K", StoredDtype::kQ5_K},
    TensorType{14, "Q6_K", StoredDtype::kQ6_K},
    TensorType{15, "Q8_K", {}},
    TensorType{16, "IQ2_XXS", {}},
    TensorType{17, "IQ2_XS", {}},
    TensorType{18, "IQ3_XXS", {}},
    TensorType{19, "IQ1_S", {}},
    TensorType{20, "IQ4_NL", StoredDtype::kIQ4_NL},
    TensorType{21, "IQ3_S", {}},
    TensorType{22, "IQ2_S", {}},
    TensorType{23, "IQ4_XS", {}},
    TensorType{24, "I8", StoredDtype::kChar},
    TensorType{25, "I16", StoredDtype::kShort},
    TensorType{26, "I32", StoredDtype::kInt},
    TensorType{27, "I64", StoredDtype::kLong},
    TensorType{28, "F64", StoredDtype::kDouble},
    TensorType{29, "IQ1_M", {}},
    TensorType{30, "BF16", StoredDtype::kBFloat16},
    TensorType{34, "TQ1_0", {}},
    TensorType{35, "TQ2_0", {}},
    TensorType{39, "MXFP4", {}},
};

struct Counts {
  std::uint64_t tensors = 0, keys = 0;
};

Counts read_beginning(GgufCursor& cursor) {
  if (cursor.number<std::uint32_t>() != kMagic)
    fail_input(cursor.file(), ": is not a GGUF file; a model is a folder as it was downloaded, or a GGUF file");
  const auto version = cursor.number<std::uint32_t>();
  if (version != 0 && (version & 0xffff) == 0)
    fail_input(cursor.file(), ": is a GGUF file for big-endian machines, which is not read");
  if (version != 2 && version != 3)
    fail_input(cursor.file(), ": is GGUF version ", version, "; versions 2 and 3 are read");
  Counts counts;
  counts.tensors = cursor.number<std::uint64_t>();
  counts.keys = cursor.number<std::uint64_t>();
  if (counts.keys > cursor.left() / kLeastKeyBytes || counts.tensors > cursor.left() / kLeastTensorBytes)
    fail_input(cursor.file(), ": claims ", counts.keys, " keys and ", counts.tensors, " tensors in ", cursor.left(),
               " bytes; the file is truncated or damaged");
  return counts;
}

StoredDtype read_tensor_type(GgufCursor& cursor, const std::string& where) {
  const auto number = cursor.number<std::uint32_t>();
  const auto type =
      std::find_if(kTensorTypes.begin(), kTensorTypes.end(), [&](const TensorType& t) { return t.number == number; });
  if (type != kTensorTypes.end() && type->dtype) return *type->dtype;
  std::string known;
  for (const TensorType& t : kTensorTypes)
    if (t.dtype && (is_floating_point(*t.dtype) || is_quantised(*t.dtype)))
      known += cat(known.empty() ? "" : ", ", t.name);
  fail_input(where, "has type ", type == kTensorTypes.end() ? cat(number) : std::string(type->name),
             ", which is not supported; supported: ", known);
}

/// A row of the tensor table. Begin and end count from the beginning of the data.
std::pair<std::string, TensorFile::Entry> read_tensor(GgufCursor& cursor, std::int64_t alignment) {
  const std::string name(cursor.name(kLongestTensorName, "tensor"));
  const std::string where = cat(cursor.file(), ": tensor \"", name, "\" ");
  const auto dimensions = cursor.number<std::uint32_t>();
  if (dimensions == 0 || dimensions > kMostDimensions)
    fail_input(where, "has ", dimensions, " dimensions; GGUF allows 1 to ", kMostDimensions);
  TensorFile::Entry entry;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto extent = cursor.number<std::uint64_t>();
    if (extent == 0 || extent > std::uint64_t{1} << 48)
      fail_input(where, "has an extent of ", extent, "; the file is damaged");
    // The format names the fastest extent first.
    entry.shape.insert(entry.shape.begin(), static_cast<std::int64_t>(extent));
  }
  entry.dtype = read_tensor_type(cursor, where);
  const auto offset = cursor.number<std::uint64_t>();
  if (entry.shape.back() % block_length(entry.dtype) != 0)
    fail_input(where, "has rows of ", entry.shape.back(), " numbers; ", name_of(entry.dtype), " needs a multiple of ",
               block_length(entry.dtype));
  const std::optional<std::size_t> bytes = bytes_of(entry.dtype, entry.shape);
  if (!bytes || *bytes > kFarthest || offset > kFarthest)
    fail_input(where, "has a shape or a place beyond any memory: ", describe_shape(entry.shape), " at byte ", offset);
  if (offset % static_cast<std::uint64_t>(alignment) != 0)
    fail_input(where, "lies at byte ", offset, " of the data, which is no multiple of the file's alignment ",
               alignment);
  entry.begin = offset;
  entry.end = offset + *bytes;
  return {name, entry};
}

std::int64_t alignment_of(const GgufMetadata& metadata) {
  const std::int64_t alignment = metadata.find_integer("general.alignment").value_or(kDefaultAlignment);
  if (alignment < 1 || alignment > kGreatestAlignment || (alignment & (alignment - 1)) != 0)
    fail_input(metadata.file(), ": \"general.alignment\" is ", alignment, "; it must be a power of two");
  return alignment;
}

struct Part {
  GgufMetadata metadata;
  TensorFile tensors;
};

Part open_part(const std::filesystem::path& path) {
  Part part;
  part.tensors = TensorFile::map(path, kFixedBytes, "GGUF");
  const std::size_t size = part.tensors.bytes().size();
  GgufCursor cursor(path.string(), part.tensors.bytes().text());
  const Counts counts = read_beginning(cursor);
  part.metadata = GgufMetadata::read(cursor, counts.keys, part.tensors.bytes());
  const std::int64_t alignment = alignment_of(part.metadata);
  std::vector<std::pair<std::string, TensorFile::Entry>> tensors;
  std::size_t data_bytes = 0;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    tensors.push_back(read_tensor(cursor, alignment));
    data_bytes = std::max(data_bytes, tensors.back().second.end);
  }
  const auto step = static_cast<std::size_t>(alignment);
  const std::size_t data_begin = (cursor.at() + step - 1) / step * step;
  if (data_bytes > 0 && (data_begin > size || data_bytes > size - data_begin))
    fail_input(path.string(), ": is truncated: it has ", size, " bytes, by its header it should have ",
               data_begin + data_bytes, "; fetch it again");
  for (auto& [name, entry] : tensors) {
    entry.begin += data_begin;
    entry.end += data_begin;
    if (!part.tensors.add(name, std::move(entry)))
      fail_input(path.string(), ": tensor \"", name, "\" stands there twice");
  }
  part.tensors.refuse_overlaps();
  return part;
}

std::string part_ending(std::int64_t number, std::int64_t count) {
  char text[32];
  std::snprintf(text, sizeof text, "-%05d-of-%05d.gguf", static_cast<int>(number), static_cast<int>(count));
  return text;
}

/// The other files of a split one, of which `first` was opened.
std::vector<std::filesystem::path> other_parts(const std::filesystem::path& path, const GgufMetadata& first) {
  const std::int64_t count = first.find_integer("split.count").value_or(1);
  if (count == 1 || count == 0) return {};
  const std::int64_t number = first.find_integer("split.no").value_or(0);
  if (count < 0 || count > kMostParts || number < 0 || number >= count)
    fail_input(path.string(), ": says that it is part ", number, " of ", count, "; the file is damaged");
  const std::string name = path.filename().string(), ending = part_ending(number + 1, count);
  if (!name.ends_with(ending))
    fail_input(path.string(), ": is part ", number + 1, " of a model in ", count,
               " files, and its name does not end in \"", ending, "\"; give it its name back");
  const std::string model = name.substr(0, name.size() - ending.size());
  if (number != 0)
    fail_input(path.string(), ": is part ", number + 1, " of a model in ", count, " files; name the first, ",
               (path.parent_path() / (model + part_ending(1, count))).string());
  std::vector<std::filesystem::path> others;
  for (std::int64_t i = 1; i < count; ++i) {
    others.push_back(path.parent_path() / (model + part_ending(i + 1, count)));
    if (!is_there(others.back()))
      fail_input(others.back().string(), ": is not there; the model is in ", count, " files, of which this is number ",
                 i + 1);
  }
  return others;
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
  Part first = open_part(path);
  GgufFile file;
  file.metadata_ = std::move(first.metadata);
  file.parts_.push_back(std::move(first.tensors));
  std::set<std::string> names;
  for (const auto& [name, entry] : file.parts_[0].entries()) names.insert(name);
  const std::vector<std::filesystem::path> others = other_parts(path, file.metadata_);
  for (std::size_t i = 0; i < others.size(); ++i) {
    Part part = open_part(others[i]);
    const std::int64_t number = part.metadata.find_integer("split.no").value_or(-1);
    if (number != static_cast<std::int64_t>(i) + 1)
      fail_input(others[i].string(), ": is not part ", i + 2, " of the model, whatever its name says");
    for (const auto& [name, entry] : part.tensors.entries())
      if (!names.insert(name).second)
        fail_input(others[i].string(), ": tensor \"", name, "\" is in another part of the model too");
    file.parts_.push_back(std::move(part.tensors));
  }
  const auto count = file.metadata_.find_integer("split.tensors.count");
  if (!others.empty() && count && *count != static_cast<std::int64_t>(names.size()))
    fail_input(path.string(), ": the model should have ", *count, " tensors, its files have ", names.size());
  return file;
}

bool is_gguf(const std::filesystem::path& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(model, ignored)) return false;
  return model.extension() == ".gguf" || std::filesystem::is_regular_file(model, ignored);
}

}  // namespace kvmesh::llm
