#include "bus/detail/shared_view.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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

/// One arena: the header may be written, the slots only read.
class SharedViews::Mapping {
 public:
  Mapping(const std::string& name, std::uint32_t receiver) {
    // Only what a kvmesh sender makes is opened, whoever wrote the name.
    if (!name.starts_with("/kvmesh-") || name.find('/', 1) != std::string::npos)
      refuse(cat("no arena is called ", name));
    const int file = ::shm_open(name.c_str(), O_RDWR | O_CLOEXEC, 0);
    if (file < 0) refuse(cat("cannot open /dev/shm", name, ": ", std::strerror(errno)));
    struct stat status {};
    const bool fits = ::fstat(file, &status) == 0 && status.st_size == static_cast<off_t>(kArenaBytes) &&
                      status.st_uid == ::geteuid();
    void* header = fits ? ::mmap(nullptr, kHeaderBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    void* slots =
        fits ? ::mmap(nullptr, kArenaBytes - kHeaderBytes, PROT_READ, MAP_SHARED, file, kHeaderBytes) : MAP_FAILED;
    ::close(file);
    if (header != MAP_FAILED) header_ = static_cast<ArenaHeader*>(header);
    if (slots != MAP_FAILED) slots_ = static_cast<const std::byte*>(slots);
    if (header_ == nullptr || slots_ == nullptr || header_->magic != kArenaMagic || header_->slots != kSlots ||
        header_->slot_bytes != kSlotBytes) {
      unmap();
      refuse(cat("/dev/shm", name, " is no arena of this version of kvmesh and this user"));
    }
    const std::uint32_t bit = std::uint32_t{1} << receiver;
    if ((header_->mapped.fetch_or(bit) | bit) == header_->receivers) ::shm_unlink(name.c_str());
  }
  ~Mapping() { unmap(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// The bytes of a slot that is ours to read until the frame goes.
  static Frame frame(const std::shared_ptr<Mapping>& mapping, const SharedFrame& shared, std::uint32_t receiver) {
    const std::uint32_t bit = std::uint32_t{1} << receiver;
    if (shared.slot >= kSlots || shared.bytes > kSlotBytes ||
        (mapping->header_->holders[shared.slot].load() & bit) == 0)
      refuse(cat("slot ", shared.slot, " with ", shared.bytes, " bytes is not ours to read"));
    const std::byte* data = mapping->slots_ + std::size_t{shared.slot} * kSlotBytes;
    std::shared_ptr<const void> owner(data, [mapping, slot = shared.slot, bit](const void*) {
      mapping->header_->holders[slot].fetch_and(~bit);
      wake_sender(*mapping->header_);
    });
    return Frame(std::move(owner), {data, static_cast<std::size_t>(shared.bytes)});
  }

 private:
  void unmap() {
    if (header_ != nullptr) ::munmap(header_, kHeaderBytes);
    if (slots_ != nullptr) ::munmap(const_cast<std::byte*>(slots_), kArenaBytes - kHeaderBytes);
  }
  ArenaHeader* header_ = nullptr;
  const std::byte* slots_ = nullptr;
};

Message SharedViews::open(Message message) {
  if (message.empty()) refuse("an empty message came");
  const Trailer trailer = read_trailer(message.back(), message.size());
  message.pop_back();
  if (trailer.name.empty()) return message;
  std::shared_ptr<Mapping>& mapping = mappings_[trailer.name];
  if (!mapping) mapping = std::make_shared<Mapping>(trailer.name, trailer.head.receiver);
  for (const SharedFrame& shared : trailer.frames) {
    if (shared.frame >= message.size()) refuse("a message's trailer is damaged");
    message[shared.frame] = Mapping::frame(mapping, shared, trailer.head.receiver);
  }
  return message;
}

}  // namespace kvmesh::bus::detail
