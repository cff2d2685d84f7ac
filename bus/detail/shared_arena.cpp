#include "bus/detail/shared_arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ios>
#include <new>
#include <random>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus::detail {
namespace {

/// Smaller frames go over the socket: a slot would cost more than it saves.
constexpr std::size_t kSmallestShared = 16 * 1024;

std::string fresh_name() {
  // Random, since a pid may come again, or stand for another process in another container.
  return cat("/kvmesh-", ::getpid(), '-', std::hex, std::random_device{}());
}

[[noreturn]] void fail(const std::string& name, int error) {
  throw Error(ErrorKind::kGiveUp,
              cat("cannot reserve ", kArenaBytes >> 20, " MiB of shared memory as /dev/shm", name, ": ",
                  std::strerror(error), "; make room there, or say transport: zmq on the edge"));
}

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

SharedArena::SharedArena(const std::vector<std::string>& topics) : name_(fresh_name()) {
  std::uint32_t bits = 0;
  for (const std::string& topic : topics) {
    const auto number = static_cast<std::uint32_t>(receivers_.size());
    if (number == kMostReceivers) break;  // the rest is served by the socket
    receivers_.emplace(topic, number);
    bits |= std::uint32_t{1} << number;
  }
  const int file = ::shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) fail(name_, errno);
  const int reserved = ::posix_fallocate(file, 0, kArenaBytes);
  void* memory = reserved == 0 ? ::mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  const int error = reserved != 0 ? reserved : errno;
  ::close(file);
  if (memory == MAP_FAILED) {
    ::shm_unlink(name_.c_str());
    fail(name_, error);
  }
  header_ = new (memory) ArenaHeader;
  header_->receivers = bits;
  slots_ = static_cast<std::byte*>(memory) + kHeaderBytes;
}

SharedArena::~SharedArena() {
  ::shm_unlink(name_.c_str());  // gone already where every receiver has mapped it
  ::munmap(header_, kArenaBytes);
}

Message SharedArena::share(const std::string& topic, Message message, const Deadline& deadline) {
  const std::uint32_t receiver = receivers_.at(topic);
  std::vector<SharedFrame> shared;
  for (std::uint32_t i = 1; i < message.size(); ++i) {
    Frame& frame = message[i];
    if (frame.size() < kSmallestShared || frame.size() > kSlotBytes) continue;
    shared.push_back({.frame = i, .slot = slot_with(frame, topic, receiver, deadline), .bytes = frame.size()});
    frame = Frame();
  }
  std::string trailer;
  append(trailer, TrailerHead{.frames = static_cast<std::uint32_t>(shared.size()), .receiver = receiver});
  for (const SharedFrame& frame : shared) append(trailer, frame);
  trailer += name_;
  message.push_back(Frame::from_string(std::move(trailer)));
  return message;
}

std::uint32_t SharedArena::slot_with(const Frame& frame, const std::string& topic, std::uint32_t receiver,
                                     const Deadline& deadline) {
  const std::uint32_t bit = std::uint32_t{1} << receiver;
  const std::lock_guard lock(mutex_);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    const Slot& there = contents_[slot];
    const bool same = there.data == frame.data() && there.bytes == frame.size() && frame.owner() != nullptr &&
                      there.owner.lock() == frame.owner();
    // Sent to one receiver twice, it needs a second slot: a bit says "still reads it", not how often.
    if (!same || (header_->holders[slot].load() & bit) != 0) continue;
    header_->holders[slot].fetch_or(bit);
    return slot;
  }
  for (;;) {
    const std::uint32_t seen = header_->released.load();
    for (std::uint32_t tried = 0; tried < kSlots; ++tried) {
      const std::uint32_t slot = next_++ % kSlots;
      if (header_->holders[slot].load() != 0) continue;
      std::memcpy(slots_ + std::size_t{slot} * kSlotBytes, frame.data(), frame.size());
      contents_[slot] = {.owner = frame.owner(), .data = frame.data(), .bytes = frame.size()};
      header_->holders[slot].store(bit);
      return slot;
    }
    if (deadline.expired())
      throw Error(ErrorKind::kRetry,
                  cat("cannot publish on \"", topic, "\": all ", kSlots, " slots of shared memory are ",
                      "still held by receivers that do not keep up; try again later"));
    await_release(*header_, seen, deadline.remaining());
  }
}

void SharedArena::drop(const std::string& topic) {
  const auto receiver = receivers_.find(topic);
  if (receiver == receivers_.end()) return;
  for (auto& holders : header_->holders) holders.fetch_and(~(std::uint32_t{1} << receiver->second));
  wake_sender(*header_);
}

void Sharing::begin(const std::vector<std::string>& topics) {
  const std::lock_guard lock(mutex_);
  topics_.insert(topics.begin(), topics.end());
  arena_ = std::make_shared<SharedArena>(topics);
}

std::shared_ptr<SharedArena> Sharing::arena() const {
  const std::lock_guard lock(mutex_);
  return arena_;
}

Message Sharing::share(const std::string& topic, Message message, const Deadline& deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!topics_.contains(topic)) return message;
  }
  const std::shared_ptr<SharedArena> shared = arena();
  if (shared && shared->serves(topic)) return shared->share(topic, std::move(message), deadline);
  std::string trailer;
  append(trailer, TrailerHead{});
  message.push_back(Frame::from_string(std::move(trailer)));
  return message;
}

void Sharing::drop(const std::string& topic) {
  if (const auto shared = arena()) shared->drop(topic);
}

}  // namespace kvmesh::bus::detail
