#include "bus/detail/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
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

}  // namespace

// A file that never has a name: it is gone with the last process that has it open or mapped, whatever ends them.
SharedMemory::SharedMemory() : file_(::memfd_create("kvmesh", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  const auto fail = [this](const char* what) {
    const int error = errno;
    if (file_ >= 0) ::close(file_);
    throw Error(ErrorKind::kGiveUp, cat("cannot ", what, " shared memory: ", std::strerror(error)));
  };
  // Sealed against shrinking: to read where the file has ended would be a signal in a receiver.
  if (file_ < 0 || ::fchmod(file_, 0600) != 0 || ::fcntl(file_, F_ADD_SEALS, F_SEAL_SHRINK) != 0) fail("make");
  void* memory = MAP_FAILED;
  if (const int error = ::posix_fallocate(file_, 0, kHeaderBytes); error != 0) errno = error;
  else memory = ::mmap(nullptr, kHeaderBytes + kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (memory == MAP_FAILED) fail("map");
  header_ = new (memory) ArenaHeader;
  std::random_device random;
  header_->id = std::uint64_t{random()} << 32 | random();
  name_ = cat(::getpid(), '/', file_, '/', header_->id);
  payload_ = static_cast<std::byte*>(memory) + kHeaderBytes;
}

std::shared_ptr<SharedMemory> SharedMemory::make(std::size_t bytes) {
  std::shared_ptr<SharedMemory> memory(new SharedMemory);
  if (memory->grow(bytes)) return memory;
  throw Error(ErrorKind::kGiveUp, cat("cannot reserve ", bytes >> 20, " MiB of shared memory: ", std::strerror(errno),
                                      "; make room in memory, or say transport: zmq on the edge"));
}

SharedMemory::~SharedMemory() {
  ::munmap(header_, kHeaderBytes + kArenaBytes);
  ::close(file_);
}

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
