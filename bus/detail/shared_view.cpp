#include "bus/detail/shared_view.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "bus/detail/shared_layout.hpp"

namespace kvmesh::bus::detail {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorKind::kReconnect, cat("shared memory: ", reason));
}

struct Trailer {
  TrailerHead head;
  std::vector<SharedFrame> frames;
  std::string name;
};

Trailer read_trailer(const Frame& bytes, std::size_t message_frames) {
  Trailer trailer;
  if (bytes.size() < sizeof trailer.head) refuse("a message came without a trailer");
  std::memcpy(&trailer.head, bytes.data(), sizeof trailer.head);
  const std::size_t table = std::size_t{trailer.head.frames} * sizeof(SharedFrame);
  if (trailer.head.frames >= message_frames || bytes.size() < sizeof trailer.head + table ||
      trailer.head.receiver >= kMostReceivers)
    refuse("a message's trailer is damaged");
  trailer.frames.resize(trailer.head.frames);
  if (table > 0) std::memcpy(trailer.frames.data(), bytes.data() + sizeof trailer.head, table);
  trailer.name = bytes.text().substr(sizeof trailer.head + table);
  return trailer;
}

}  // namespace

/// Where an arena is open, by its name; nothing but a descriptor of a process is ever opened, whoever wrote the
/// trailer.
struct ArenaName {
  std::uint32_t pid = 0, descriptor = 0;
  std::uint64_t id = 0;
};

ArenaName read_name(std::string_view name) {
  ArenaName read;
  const char *at = name.data(), *const end = at + name.size();
  const auto take = [&](auto& number, bool last) {
    const auto result = std::from_chars(at, end, number);
    at = last ? result.ptr : result.ptr + 1;
    return result.ec == std::errc() && (last ? result.ptr == end : result.ptr != end && *result.ptr == '/');
  };
  if (!take(read.pid, false) || !take(read.descriptor, false) || !take(read.id, true))
    refuse("a message's trailer names no arena");
  return read;
}

/// Of our own user, no socket or device, and never shorter than it is: to read behind its end would be a signal.
bool is_arena_file(int file) {
  struct stat status {};
  const int seals = ::fcntl(file, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && ::fstat(file, &status) == 0 &&
         status.st_size >= static_cast<off_t>(kHeaderBytes) && status.st_uid == ::geteuid();
}

/// One arena: the header may be written, the payload only read.
class SharedViews::Mapping {
 public:
  Mapping(const ArenaName& name, std::uint32_t receiver)
      : path_(cat("/proc/", name.pid, "/fd/", name.descriptor)), receiver_(receiver) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0) refuse(cat("cannot open ", path_, ": ", std::strerror(errno), "; the sender has ended"));
    const bool fits = is_arena_file(file_);
    void* header = fits ? ::mmap(nullptr, kHeaderBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0) : MAP_FAILED;
    void* payload = fits ? ::mmap(nullptr, kArenaBytes, PROT_READ, MAP_SHARED, file_, kHeaderBytes) : MAP_FAILED;
    if (header != MAP_FAILED) header_ = static_cast<ArenaHeader*>(header);
    if (payload != MAP_FAILED) payload_ = static_cast<const std::byte*>(payload);
    if (header_ == nullptr || payload_ == nullptr || header_->magic != kArenaMagic || header_->id != name.id ||
        header_->bytes != kArenaBytes || header_->tickets != kTickets) {
      unmap();
      refuse(cat(path_, " is not the arena that the message names, of this version of kvmesh and this user"));
    }
  }
  ~Mapping() { unmap(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// What returns the message's ticket when its last copy goes.
  static std::shared_ptr<const void> hold(const std::shared_ptr<Mapping>& mapping, std::uint32_t ticket) {
    if (ticket >= kTickets || mapping->header_->holders[ticket].load() != mapping->receiver_ + 1)
      refuse(cat("ticket ", ticket, " is not ours"));
    return {mapping->payload_, [mapping, ticket](const void*) {
              mapping->header_->holders[ticket].store(0);
              wake_sender(*mapping->header_);
            }};
  }

  std::span<const std::byte> bytes(const SharedFrame& shared) {
    if (shared.bytes > kArenaBytes || shared.offset > kArenaBytes - shared.bytes ||
        !stands(shared.offset + shared.bytes))
      refuse(cat(shared.bytes, " bytes at ", shared.offset, " are not in the arena at ", path_));
    return {payload_ + shared.offset, static_cast<std::size_t>(shared.bytes)};
  }

 private:
  /// Whether the file reaches as far: to read behind its end would be a signal.
  bool stands(std::size_t end) {
    if (end <= known_) return true;
    struct stat status {};
    if (::fstat(file_, &status) == 0) known_ = static_cast<std::size_t>(status.st_size) - kHeaderBytes;
    return end <= known_;
  }
  void unmap() {
    if (header_ != nullptr) ::munmap(header_, kHeaderBytes);
    if (payload_ != nullptr) ::munmap(const_cast<std::byte*>(payload_), kArenaBytes);
    ::close(file_);
  }
  const std::string path_;
  const std::uint32_t receiver_;
  int file_ = -1;
  std::size_t known_ = 0;  ///< bytes of payload that the file had when it was last asked
  ArenaHeader* header_ = nullptr;
  const std::byte* payload_ = nullptr;
};

Message SharedViews::open(Message message) {
  if (message.empty()) refuse("an empty message came");
  const Trailer trailer = read_trailer(message.back(), message.size());
  message.pop_back();
  if (trailer.name.empty()) return message;
  std::shared_ptr<Mapping>& mapping = mappings_[trailer.name];
  if (!mapping) mapping = std::make_shared<Mapping>(read_name(trailer.name), trailer.head.receiver);
  if (trailer.frames.empty()) return message;
  const std::shared_ptr<const void> hold = Mapping::hold(mapping, trailer.head.ticket);
  for (const SharedFrame& shared : trailer.frames) {
    if (shared.frame >= message.size()) refuse("a message's trailer is damaged");
    message[shared.frame] = Frame(hold, mapping->bytes(shared));
  }
  return message;
}

}  // namespace kvmesh::bus::detail
