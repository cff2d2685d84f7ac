#include "bus/detail/shared_arena.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus::detail {
namespace {

/// Smaller frames go over the socket: a place would cost more than it saves.
constexpr std::size_t kSmallestShared = 16 * 1024;

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

SharedArena::SharedArena(const std::vector<std::string>& topics)
    : memory_(SharedMemory::make(kCopyBytes)),
      read_ahead_(memory_->header()),
      copied_(std::make_shared<std::atomic<std::size_t>>(0)) {
  for (const std::string& topic : topics) {
    const auto number = static_cast<std::uint32_t>(receivers_.size());
    if (number == kMostReceivers) break;  // the rest is served by the socket
    receivers_.emplace(topic, number);
  }
}

template <typename Attempt>
auto SharedArena::wait_for(Lock& lock, const char* what, const std::string& topic, const Deadline& deadline,
                           Attempt attempt) {
  for (;;) {
    const std::uint32_t seen = memory_->header().released.load();
    collect();
    if (auto got = attempt()) return got;
    if (deadline.expired())
      throw Error(ErrorKind::kRetry, cat("cannot publish on \"", topic, "\": all ", what, " of shared memory are ",
                                         "still held by receivers that do not keep up; try again later"));
    lock.unlock();  // others take memory meanwhile
    await_release(memory_->header(), seen, deadline.remaining());
    lock.lock();
  }
}

SharedMessage SharedArena::share(const std::string& topic, Message message, const Deadline& deadline) {
  const std::uint32_t receiver = receivers_.at(topic);
  Lock lock(mutex_);
  std::vector<SharedFrame> shared;
  std::vector<Frame> held;
  for (std::size_t i = 1; i < message.size(); ++i) {
    Frame& frame = message[i];
    if (frame.size() < kSmallestShared || frame.size() > kCopyBytes) continue;
    Frame there = in_arena(lock, frame, topic, deadline);
    if (there.empty()) continue;
    held.push_back(std::move(there));
    shared.push_back({.frame = i, .offset = *memory_->offset_of(held.back()), .bytes = frame.size()});
    frame = Frame();
  }
  SharedRows rows{.receiver = receiver};
  if (!held.empty()) {
    rows.ticket = free_ticket(lock, topic, deadline);
    rows.bytes = total_size(held);
    out_.emplace(rows.ticket, std::move(held));
    memory_->header().holders[rows.ticket].store(receiver + 1);
  }
  std::string trailer;
  append(trailer,
         TrailerHead{.frames = static_cast<std::uint32_t>(shared.size()), .receiver = receiver, .ticket = rows.ticket});
  for (const SharedFrame& frame : shared) append(trailer, frame);
  trailer += memory_->name();
  message.push_back(Frame::from_string(std::move(trailer)));
  return {std::move(message), shared.empty() ? std::nullopt : std::optional(rows)};
}

Frame SharedArena::in_arena(Lock& lock, const Frame& frame, const std::string& topic, const Deadline& deadline) {
  if (memory_->offset_of(frame)) return frame;
  std::erase_if(copies_, [](const Copy& copy) { return copy.place.expired() || copy.owner.expired(); });
  for (const Copy& copy : copies_) {
    const bool same = copy.data == frame.data() && frame.owner() && copy.owner.lock() == frame.owner();
    const auto place = copy.place.lock();
    if (same && place) return Frame(place, {place.get(), frame.size()});
  }
  const auto place = *wait_for(lock, "places", topic, deadline, [&] { return room_for_copy(frame.size()); });
  if (!place) return {};
  std::memcpy(const_cast<std::byte*>(place.get()), frame.data(), frame.size());
  copies_.push_back({.owner = frame.owner(), .data = frame.data(), .place = place});
  return Frame(place, {place.get(), frame.size()});
}

std::optional<std::shared_ptr<const std::byte>> SharedArena::room_for_copy(std::size_t bytes) {
  if (copied_->load() + bytes > kCopyBytes) return std::nullopt;
  std::shared_ptr<std::byte> place = memory_->take(bytes);
  if (!place) return nullptr;
  copied_->fetch_add(bytes);
  std::byte* data = place.get();
  return std::shared_ptr<const std::byte>{data, [place = std::move(place), bytes, copied = copied_](std::byte*) {
                                            copied->fetch_sub(bytes);
                                          }};
}

std::uint32_t SharedArena::free_ticket(Lock& lock, const std::string& topic, const Deadline& deadline) {
  return *wait_for(lock, "tickets", topic, deadline, [&]() -> std::optional<std::uint32_t> {
    if (out_.size() == kTickets) return std::nullopt;
    while (out_.contains(next_ticket_ % kTickets)) ++next_ticket_;
    return next_ticket_++ % kTickets;
  });
}

void SharedArena::collect() {
  std::erase_if(out_, [&](const auto& out) { return memory_->header().holders[out.first].load() == 0; });
}

std::shared_ptr<std::byte> SharedArena::take(std::size_t bytes) {
  if (bytes < kSmallestShared) return nullptr;
  const std::lock_guard lock(mutex_);
  collect();
  return memory_->take(bytes);
}

void SharedArena::take_back(const SharedRows& rows) {
  const std::lock_guard lock(mutex_);
  memory_->header().holders[rows.ticket].store(0);
  out_.erase(rows.ticket);
  wake_sender(memory_->header());
}

void SharedArena::drop(const std::string& topic) {
  const auto receiver = receivers_.find(topic);
  if (receiver == receivers_.end()) return;
  for (auto& holder : memory_->header().holders) {
    std::uint32_t gone = receiver->second + 1;
    holder.compare_exchange_strong(gone, 0);
  }
  wake_sender(memory_->header());
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

SharedMessage Sharing::share(const std::string& topic, Message message, const Deadline& deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!topics_.contains(topic)) return {std::move(message), std::nullopt};
  }
  const auto shared = arena();
  if (shared && shared->serves(topic)) return shared->share(topic, std::move(message), deadline);
  std::string trailer;
  append(trailer, TrailerHead{});
  message.push_back(Frame::from_string(std::move(trailer)));
  return {std::move(message), std::nullopt};
}

void Sharing::take_back(const SharedRows& rows) { arena()->take_back(rows); }

void Sharing::before_sending(const SharedRows& rows) { arena()->before_sending(rows); }

std::shared_ptr<std::byte> Sharing::take(std::size_t bytes) {
  const auto shared = arena();
  return shared ? shared->take(bytes) : nullptr;
}

void Sharing::drop(const std::string& topic) {
  if (const auto shared = arena()) shared->drop(topic);
}

}  // namespace kvmesh::bus::detail
