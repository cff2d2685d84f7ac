#include "llm/model/tensor_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "llm/model/folder_files.hpp"

namespace kvmesh::llm {
namespace {

std::string identity_of(const struct stat& status) {
  return cat(status.st_dev, ' ', status.st_ino, ' ', status.st_size, ' ', status.st_mtim.tv_sec, '.',
             status.st_mtim.tv_nsec, ' ', status.st_ctim.tv_sec, '.', status.st_ctim.tv_nsec);
}

}  // namespace

TensorFile TensorFile::map(const std::filesystem::path& path, std::size_t at_least, const std::string& format) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_input(path.string(), ": cannot be opened: ", std::strerror(errno));
  struct stat status {};
  ::fstat(fd, &status);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = size < at_least ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (S_ISDIR(status.st_mode)) fail_input(path.string(), ": is a folder, not a file");
  if (size < at_least) fail_input(path.string(), ": ", size, " bytes are too few for a ", format, " file");
  if (address == MAP_FAILED) fail_input(path.string(), ": cannot be mapped: ", std::strerror(error));
  TensorFile file;
  file.path_ = path;
  file.identity_ = identity_of(status);
  const auto* bytes = static_cast<const std::byte*>(address);
  const std::shared_ptr<const void> owner(address, [address, size](const void*) { ::munmap(address, size); });
  file.bytes_ = OwnedBytes(owner, {bytes, size});
  refuse_lfs_pointer(path, file.bytes_.text());
  return file;
}

void TensorFile::refuse_overlaps() const {
  std::vector<std::pair<const Entry*, const std::string*>> order;
  for (const auto& [name, entry] : entries_)
    if (entry.begin != entry.end) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](auto& a, auto& b) { return a.first->begin < b.first->begin; });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i].first->begin < order[i - 1].first->end)
      fail_input(path_.string(), ": tensors \"", *order[i - 1].second, "\" and \"", *order[i].second, "\" overlap");
}

StoredTensor TensorFile::get(const std::string& name) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) fail_input(path_.string(), ": tensor \"", name, "\" is missing");
  const Entry& entry = found->second;
  return {entry.dtype, entry.shape, bytes_.part(entry.begin, entry.end - entry.begin)};
}

void TensorFile::release(std::size_t begin, std::size_t end) const {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

std::optional<std::size_t> bytes_of(StoredDtype dtype, std::span<const std::int64_t> shape) {
  const std::int64_t block = block_length(dtype);
  if (block > 1 && (shape.empty() || shape.back() % block != 0)) return std::nullopt;
  std::size_t bytes = element_size(dtype);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t extent = i + 1 == shape.size() ? shape[i] / block : shape[i];
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(extent), &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace kvmesh::llm
