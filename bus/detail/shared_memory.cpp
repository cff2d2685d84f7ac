#include "bus/detail/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ios>
#include <iterator>
#include <new>
#include <random>

#include "base/error.hpp"

namespace kvmesh::bus::detail {
namespace {

constexpr std::size_t kPage = 4096;
/// What it grows by at least: reserving has its price each time.
constexpr std::size_t kStep = std::size_t{4} << 20;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

std::string fresh_name() {
  // Random, since a pid may come again, or stand for another process in another container.
  return cat("/kvmesh-", ::getpid(), '-', std::hex, std::random_device{}());
}

}  // namespace

SharedMemory::SharedMemory() : name_(fresh_name()) {
  file_ = ::shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file_ < 0) throw Error(ErrorKind::kGiveUp, cat("cannot make /dev/shm", name_, ": ", std::strerror(errno)));
  void* memory = MAP_FAILED;
  if (const int error = ::posix_fallocate(file_, 0, kHeaderBytes); error != 0) errno = error;
  else memory = ::mmap(nullptr, kHeaderBytes + kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    remove_name();
    ::close(file_);
    throw Error(ErrorKind::kGiveUp, cat("cannot map /dev/shm", name_, ": ", std::strerror(error)));
  }
  header_ = new (memory) ArenaHeader;
  payload_ = static_cast<std::byte*>(memory) + kHeaderBytes;
}

std::shared_ptr<SharedMemory> SharedMemory::make(std::size_t bytes) {
  std::shared_ptr<SharedMemory> memory(new SharedMemory);
  if (memory->grow(bytes)) return memory;
  throw Error(ErrorKind::kGiveUp,
              cat("cannot reserve ", bytes >> 20, " MiB of shared memory as /dev/shm", memory->name_, ": ",
                  std::strerror(errno), "; make room there, or say transport: zmq on the edge"));
}

SharedMemory::~SharedMemory() {
  remove_name();
  ::munmap(header_, kHeaderBytes + kArenaBytes);
  ::close(file_);
}

void SharedMemory::remove_name() { ::shm_unlink(name_.c_str()); }

bool SharedMemory::grow(std::size_t bytes) {
  if (bytes > kArenaBytes - reserved_) {
    errno = ENOSPC;
    return false;
  }
  const int error = ::posix_fallocate(file_, static_cast<off_t>(kHeaderBytes + reserved_), static_cast<off_t>(bytes));
  errno = error;
  if (error != 0) return false;
  add_free(reserved_, bytes);
  reserved_ += bytes;
  return true;
}

std::shared_ptr<std::byte> SharedMemory::take(std::size_t bytes) {
  bytes = round_up(std::max<std::size_t>(bytes, 1), kPage);
  const std::lock_guard lock(mutex_);
  const auto fits = [bytes](const auto& part) { return part.second >= bytes; };
  auto part = std::find_if(free_.begin(), free_.end(), fits);
  if (part == free_.end()) {
    std::size_t at_end = 0;
    if (!free_.empty() && free_.rbegin()->first + free_.rbegin()->second == reserved_) at_end = free_.rbegin()->second;
    const std::size_t missing = bytes - at_end;
    if (!grow(round_up(missing, kStep)) && !grow(missing)) return nullptr;
    part = std::find_if(free_.begin(), free_.end(), fits);
  }
  const auto [offset, size] = *part;
  free_.erase(part);
  if (size > bytes) free_.emplace(offset + bytes, size - bytes);
  return {payload_ + offset,
          [memory = shared_from_this(), offset = offset, bytes](std::byte*) { memory->give_back(offset, bytes); }};
}

void SharedMemory::give_back(std::size_t offset, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  add_free(offset, bytes);
}

void SharedMemory::add_free(std::size_t offset, std::size_t bytes) {
  auto part = free_.emplace(offset, bytes).first;
  if (const auto next = std::next(part); next != free_.end() && offset + bytes == next->first) {
    part->second += next->second;
    free_.erase(next);
  }
  if (part == free_.begin()) return;
  const auto before = std::prev(part);
  if (before->first + before->second != part->first) return;
  before->second += part->second;
  free_.erase(part);
}

std::optional<std::size_t> SharedMemory::offset_of(const Frame& frame) const {
  if (frame.data() < payload_ || frame.data() + frame.size() > payload_ + kArenaBytes) return std::nullopt;
  return static_cast<std::size_t>(frame.data() - payload_);
}

}  // namespace kvmesh::bus::detail
