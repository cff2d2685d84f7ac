#include "llm/model/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "kvcodec/wire/json_text.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

/// One tensor's header entry, checked against the size of the data part.
TensorFile::Entry read_entry(const std::string& where, const nlohmann::json& json, std::size_t data_begin,
                             std::size_t file_size) {
  auto is_count = [](const nlohmann::json& n) { return n.is_number_unsigned(); };
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() || !json.contains("shape") ||
      !json["shape"].is_array() || !json.contains("data_offsets") || !json["data_offsets"].is_array() ||
      json["data_offsets"].size() != 2 || !std::all_of(json["shape"].begin(), json["shape"].end(), is_count) ||
      !std::all_of(json["data_offsets"].begin(), json["data_offsets"].end(), is_count))
    fail_input(where, "needs \"dtype\", \"shape\" and \"data_offsets\" [begin, end]");
  const auto dtype = find_stored_dtype(json["dtype"].get<std::string>());
  if (!dtype) fail_input(where, "has dtype ", json["dtype"].dump(), ", which is not supported");
  TensorFile::Entry entry{*dtype, json["shape"].get<std::vector<std::int64_t>>(), 0, 0};
  const auto begin = json["data_offsets"][0].get<std::size_t>();
  const auto end = json["data_offsets"][1].get<std::size_t>();
  if (begin > end || end > file_size - data_begin)
    fail_input(where, "lies at bytes ", begin, " to ", end, " of ", file_size - data_begin, " in the file");
  const std::optional<std::size_t> expected = bytes_of(*dtype, entry.shape);
  if (!expected) fail_input(where, "has a shape beyond any memory: ", json["shape"].dump());
  if (*expected != end - begin)
    fail_input(where, "has shape ", json["shape"].dump(), " and dtype ", json["dtype"].dump(), ", that is ", *expected,
               " bytes, but ", end - begin, " in the file");
  entry.begin = data_begin + begin;
  entry.end = data_begin + end;
  return entry;
}

/// The header says how long the file is: to the end of the tensor that lies last.
void refuse_truncated(const std::filesystem::path& path, const nlohmann::json& header, std::size_t data_begin,
                      std::size_t file_size) {
  std::size_t data_bytes = 0;
  for (const auto& [name, json] : header.items()) {
    const auto offsets = json.is_object() ? json.find("data_offsets") : json.end();
    if (offsets == json.end() || !offsets->is_array() || offsets->size() != 2) continue;
    const nlohmann::json& end = (*offsets)[1];
    if (end.is_number_unsigned()) data_bytes = std::max(data_bytes, end.get<std::size_t>());
  }
  if (data_bytes > file_size - data_begin)
    fail_input(path.string(), ": is truncated: it has ", file_size, " bytes, by its header it should have ",
               data_begin + data_bytes, "; fetch it again");
}

}  // namespace

TensorFile open_safetensors(const std::filesystem::path& path) {
  TensorFile file = TensorFile::map(path, kLengthBytes, "safetensors");
  const std::string_view all = file.bytes().text();
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, all.data(), kLengthBytes);
  if (header_bytes > std::min(all.size() - kLengthBytes, kMaxHeaderBytes))
    fail_input(path.string(), ": its header claims ", header_bytes, " bytes, the file has ", all.size(),
               "; it is truncated or not a safetensors file");
  const nlohmann::json header =
      wire::parse_json(all.substr(kLengthBytes, header_bytes), {.file = path.string() + " header"});
  if (!header.is_object()) fail_input(path.string(), ": its header is not a JSON object");
  refuse_truncated(path, header, kLengthBytes + header_bytes, all.size());
  for (const auto& [name, json] : header.items())
    if (name != "__metadata__")
      file.add(name, read_entry(cat(path.string(), ": tensor \"", name, "\" "), json, kLengthBytes + header_bytes,
                                all.size()));
  file.refuse_overlaps();
  return file;
}

}  // namespace kvmesh::llm
