#include "llm/model/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "llm/model/folder_files.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

struct Mapping {
  std::shared_ptr<const std::byte> bytes;
  std::size_t size = 0;
  std::string identity;
};

std::string identity_of(const struct stat& status) {
  return cat(status.st_dev, ' ', status.st_ino, ' ', status.st_size, ' ', status.st_mtim.tv_sec, '.',
             status.st_mtim.tv_nsec, ' ', status.st_ctim.tv_sec, '.', status.st_ctim.tv_nsec);
}

Mapping map_file(const std::filesystem::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_input(path.string(), ": cannot be opened: ", std::strerror(errno));
  struct stat status {};
  ::fstat(fd, &status);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = size < kLengthBytes ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (size < kLengthBytes) fail_input(path.string(), ": ", size, " bytes are too few for a safetensors file");
  if (address == MAP_FAILED) fail_input(path.string(), ": cannot be mapped: ", std::strerror(errno));
  auto unmap = [address, size](const std::byte*) { ::munmap(address, size); };
  return {std::shared_ptr<const std::byte>(static_cast<const std::byte*>(address), unmap), size, identity_of(status)};
}

/// One tensor's header entry, checked against the size of the data part.
SafetensorsFile::Entry read_entry(const std::string& where, const nlohmann::json& json, std::size_t data_begin,
                                  std::size_t file_size) {
  auto is_count = [](const nlohmann::json& n) { return n.is_number_unsigned(); };
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() || !json.contains("shape") ||
      !json["shape"].is_array() || !json.contains("data_offsets") || !json["data_offsets"].is_array() ||
      json["data_offsets"].size() != 2 || !std::all_of(json["shape"].begin(), json["shape"].end(), is_count) ||
      !std::all_of(json["data_offsets"].begin(), json["data_offsets"].end(), is_count))
    fail_input(where, "needs \"dtype\", \"shape\" and \"data_offsets\" [begin, end]");
  const auto dtype = find_stored_dtype(json["dtype"].get<std::string>());
  if (!dtype) fail_input(where, "has dtype ", json["dtype"].dump(), ", which is not supported");
  SafetensorsFile::Entry entry{*dtype, json["shape"].get<std::vector<std::int64_t>>(), 0, 0};
  const auto begin = json["data_offsets"][0].get<std::size_t>();
  const auto end = json["data_offsets"][1].get<std::size_t>();
  if (begin > end || end > file_size - data_begin)
    fail_input(where, "lies at bytes ", begin, " to ", end, " of ", file_size - data_begin, " in the file");
  std::size_t expected = element_size(*dtype);
  for (std::int64_t extent : entry.shape)
    if (__builtin_mul_overflow(expected, static_cast<std::size_t>(extent), &expected))
      fail_input(where, "has a shape beyond any memory: ", json["shape"].dump());
  if (expected != end - begin)
    fail_input(where, "has shape ", json["shape"].dump(), " and dtype ", json["dtype"].dump(), ", that is ", expected,
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

void refuse_overlaps(const std::string& file, const std::map<std::string, SafetensorsFile::Entry>& entries) {
  std::vector<std::pair<const SafetensorsFile::Entry*, const std::string*>> order;
  for (const auto& [name, entry] : entries)
    if (entry.begin != entry.end) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](auto& a, auto& b) { return a.first->begin < b.first->begin; });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i].first->begin < order[i - 1].first->end)
      fail_input(file, ": tensors \"", *order[i - 1].second, "\" and \"", *order[i].second, "\" overlap");
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  Mapping mapping = map_file(path);
  const std::string_view all(reinterpret_cast<const char*>(mapping.bytes.get()), mapping.size);
  refuse_lfs_pointer(path, all);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, all.data(), kLengthBytes);
  if (header_bytes > std::min(mapping.size - kLengthBytes, kMaxHeaderBytes))
    fail_input(path.string(), ": its header claims ", header_bytes, " bytes, the file has ", mapping.size,
               "; it is truncated or not a safetensors file");
  const nlohmann::json header =
      wire::parse_json(all.substr(kLengthBytes, header_bytes), {.file = path.string() + " header"});
  if (!header.is_object()) fail_input(path.string(), ": its header is not a JSON object");
  refuse_truncated(path, header, kLengthBytes + header_bytes, mapping.size);

  SafetensorsFile file;
  file.path_ = path;
  file.identity_ = mapping.identity;
  file.mapping_ = mapping.bytes;
  for (const auto& [name, json] : header.items())
    if (name != "__metadata__")
      file.entries_.emplace(name, read_entry(cat(path.string(), ": tensor \"", name, "\" "), json,
                                             kLengthBytes + header_bytes, mapping.size));
  refuse_overlaps(path.string(), file.entries_);
  return file;
}

StoredTensor SafetensorsFile::get(const std::string& name) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) fail_input(path_.string(), ": tensor \"", name, "\" is missing");
  const Entry& entry = found->second;
  return {entry.dtype, entry.shape, OwnedBytes(mapping_, {mapping_.get() + entry.begin, entry.end - entry.begin})};
}

void SafetensorsFile::release(std::size_t begin, std::size_t end) const {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(mapping_.get()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace kvmesh::llm
