#include "llm/model/safetensors.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

struct Mapping {
  std::shared_ptr<const std::byte> bytes;
  std::size_t size = 0;
};

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
  return {std::shared_ptr<const std::byte>(static_cast<const std::byte*>(address), unmap), size};
}

std::optional<at::ScalarType> find_dtype(const std::string& name) {
  static const std::map<std::string, at::ScalarType> known = {{"F64", at::kDouble}, {"F32", at::kFloat},
                                                              {"F16", at::kHalf},   {"BF16", at::kBFloat16},
                                                              {"I64", at::kLong},   {"I32", at::kInt},
                                                              {"I16", at::kShort},  {"I8", at::kChar},
                                                              {"U8", at::kByte},    {"BOOL", at::kBool}};
  auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
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
  const auto dtype = find_dtype(json["dtype"].get<std::string>());
  if (!dtype) fail_input(where, "has dtype ", json["dtype"].dump(), ", which is not supported");
  SafetensorsFile::Entry entry{*dtype, json["shape"].get<std::vector<std::int64_t>>(), 0, 0};
  const auto begin = json["data_offsets"][0].get<std::size_t>();
  const auto end = json["data_offsets"][1].get<std::size_t>();
  if (begin > end || end > file_size - data_begin)
    fail_input(where, "lies at bytes ", begin, " to ", end, " of ", file_size - data_begin,
               " in the file; is it truncated?");
  std::size_t expected = c10::elementSize(*dtype);
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
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, mapping.bytes.get(), kLengthBytes);
  if (header_bytes > std::min(mapping.size - kLengthBytes, kMaxHeaderBytes))
    fail_input(path.string(), ": its header claims ", header_bytes, " bytes, the file has ", mapping.size,
               "; it is truncated or not a safetensors file");
  const char* text = reinterpret_cast<const char*>(mapping.bytes.get()) + kLengthBytes;
  const nlohmann::json header = nlohmann::json::parse(text, text + header_bytes, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) fail_input(path.string(), ": its header is not a JSON object");

  SafetensorsFile file;
  file.path_ = path;
  file.mapping_ = mapping.bytes;
  for (const auto& [name, json] : header.items())
    if (name != "__metadata__")
      file.entries_.emplace(name, read_entry(cat(path.string(), ": tensor \"", name, "\" "), json,
                                             kLengthBytes + header_bytes, mapping.size));
  refuse_overlaps(path.string(), file.entries_);
  return file;
}

at::Tensor SafetensorsFile::get(const std::string& name) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) fail_input(path_.string(), ": tensor \"", name, "\" is missing");
  const Entry& entry = found->second;
  // The mapping is private and read-only; from_blob has no const form.
  auto* data = const_cast<std::byte*>(mapping_.get() + entry.begin);
  auto keep = [mapping = mapping_](void*) {};
  const auto options = at::TensorOptions().dtype(entry.dtype);
  at::Tensor tensor = at::from_blob(data, entry.shape, keep, options);
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(entry.dtype) == 0;
  if (aligned) return tensor;
  at::Tensor copy = at::empty(entry.shape, options);
  std::memcpy(copy.data_ptr(), data, entry.end - entry.begin);
  release(entry.begin, entry.end);
  return copy;
}

void SafetensorsFile::release(std::size_t begin, std::size_t end) const {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(mapping_.get()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace kvmesh::llm
