#include "llm/model/shared_block.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

using namespace std::chrono_literals;

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
/// How often a lock is tried that another process holds: flock has no deadline, and a stop must be heard.
constexpr std::chrono::milliseconds kRetry{10};

/// The last bytes of a block's memory: what it is, for whoever finds it by a process's number alone.
struct Trailer {
  char magic[8] = {'k', 'v', 'm', 'w', 'g', 't', '0', '1'};
  std::uint64_t key = 0;
  std::uint64_t size = 0;
  bool operator==(const Trailer& other) const {
    return std::memcmp(magic, other.magic, sizeof magic) == 0 && key == other.key && size == other.size;
  }
};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Who has a block: lines of "process descriptor" in a small file named after the block, which is locked as long as
/// this object lives.
class Holders {
 public:
  /// Nothing where the folder or the file is not to be had. Waits for the lock until it is asked to stop.
  static std::optional<Holders> lock(const Trailer& block, const std::stop_token& stop) {
    const std::filesystem::path folder = own_folder();
    if (folder.empty()) return std::nullopt;
    Holders holders(folder / cat(std::hex, block.key, '-', block.size), block);
    while (!holders.try_lock(O_CREAT)) {
      if (stop.stop_requested())
        throw Error(ErrorKind::kGiveUp, "waiting for weights that another process makes was stopped");
      if (!holders.can_open_) return std::nullopt;
      std::this_thread::sleep_for(kRetry);
    }
    return holders;
  }

  /// The same of a file that is there, within `patience`: agents of a mesh leave at the same time.
  static std::optional<Holders> lock_existing(const std::filesystem::path& path, const Trailer& block,
                                              std::chrono::milliseconds patience) {
    Holders holders(path, block);
    for (auto waited = 0ms; !holders.try_lock(0); waited += 1ms) {
      if (!holders.can_open_ || waited >= patience) return std::nullopt;
      std::this_thread::sleep_for(1ms);
    }
    return holders;
  }
  const std::filesystem::path& path() const { return path_; }

  /// Removes the files of blocks that no process has any more: of processes that were killed.
  void remove_stale() const {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path_.parent_path(), error)) {
      Trailer block;
      const std::string name = entry.path().filename().string();
      if (entry.path() == path_ || std::sscanf(name.c_str(), "%lx-%lx", &block.key, &block.size) != 2) continue;
      auto others = lock_existing(entry.path(), block, 0ms);
      if (others && !others->find()) ::unlink(entry.path().c_str());
    }
  }

  /// A descriptor of the block, of whichever process still has it; those that have not are forgotten.
  Descriptor find() {
    Descriptor found;
    std::string still;
    for (const auto& [pid, fd] : lines()) {
      Descriptor theirs(::open(cat("/proc/", pid, "/fd/", fd).c_str(), O_RDONLY | O_CLOEXEC));
      if (!is_block(theirs)) continue;
      still += cat(pid, ' ', fd, '\n');
      if (!found) found = std::move(theirs);
    }
    write(still);
    return found;
  }

  void add(const Descriptor& block) { write(cat(text(), ::getpid(), ' ', block.get(), '\n')); }

  /// Forgets this process's descriptor, and removes the file with the last, and the folder with the last file.
  void remove(int block) {
    std::string others;
    for (const auto& [pid, fd] : lines())
      if (pid != ::getpid() || fd != block) others += cat(pid, ' ', fd, '\n');
    write(others);
    if (!others.empty()) return;
    ::unlink(path_.c_str());
    ::rmdir(path_.parent_path().c_str());
  }

 private:
  Holders(std::filesystem::path path, const Trailer& block) : path_(std::move(path)), block_(block) {}

  static std::filesystem::path own_folder() {
    std::error_code error;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
    if (error) return {};
    std::filesystem::path folder = temporary / cat("kvmesh-weights-", ::getuid());
    ::mkdir(folder.c_str(), 0700);
    struct stat status {};
    const bool ours = ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::getuid() &&
                      (status.st_mode & 0077) == 0;
    return ours ? folder : std::filesystem::path();
  }

  /// False also where the file that was locked is not, or no longer, the one that others will find.
  bool try_lock(int create) {
    // Whoever had the last block may remove the folder as often as we make it, so a few times are enough.
    for (int tries = 0; !file_ && tries < (create != 0 ? 3 : 1); ++tries) {
      if (create != 0) ::mkdir(path_.parent_path().c_str(), 0700);
      file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | create, 0600));
    }
    can_open_ = static_cast<bool>(file_);
    if (!file_ || ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return false;
    struct stat ours {
    }, theirs{};
    if (::fstat(file_.get(), &ours) == 0 && ::stat(path_.c_str(), &theirs) == 0 && ours.st_ino == theirs.st_ino)
      return true;
    file_ = Descriptor();
    return false;
  }

  std::string text() const {
    std::string text(4096, '\0');
    std::size_t size = 0;
    for (ssize_t got = 0;
         (got = ::pread(file_.get(), text.data() + size, text.size() - size, static_cast<off_t>(size))) > 0;) {
      size += static_cast<std::size_t>(got);
      if (size == text.size()) text.resize(2 * size);
    }
    text.resize(size);
    return text;
  }
  std::vector<std::pair<pid_t, int>> lines() const {
    std::vector<std::pair<pid_t, int>> lines;
    std::istringstream in(text());
    for (std::pair<pid_t, int> line; in >> line.first >> line.second;) lines.push_back(line);
    return lines;
  }
  /// What a full disk leaves out costs sharing and nothing else.
  void write(const std::string& text) const {
    if (::ftruncate(file_.get(), 0) != 0) return;
    [[maybe_unused]] const ssize_t written = ::pwrite(file_.get(), text.data(), text.size(), 0);
  }

  bool is_block(const Descriptor& fd) const {
    struct stat status {};
    const std::size_t size = block_.size + sizeof(Trailer);
    if (!fd || ::fstat(fd.get(), &status) != 0 || status.st_uid != ::geteuid()) return false;
    if (static_cast<std::size_t>(status.st_size) != size || ::fcntl(fd.get(), F_GET_SEALS) != kSeals) return false;
    Trailer found;
    const auto at = static_cast<off_t>(block_.size);
    return ::pread(fd.get(), &found, sizeof found, at) == static_cast<ssize_t>(sizeof found) && found == block_;
  }

  std::filesystem::path path_;
  Trailer block_;
  Descriptor file_;
  bool can_open_ = false;
};

/// A finished block is mapped whole at once: a fault per page would be the first request's to wait for.
std::byte* map(int fd, std::size_t size, int protection) {
  const int flags = fd < 0                           ? MAP_PRIVATE | MAP_ANONYMOUS
                    : (protection & PROT_WRITE) != 0 ? MAP_SHARED
                                                     : MAP_SHARED | MAP_POPULATE;
  void* address = ::mmap(nullptr, size, protection, flags, fd, 0);
  if (address == MAP_FAILED)
    throw Error(ErrorKind::kGiveUp,
                cat("there is no memory for ", size >> 20, " MiB of weights: ", std::strerror(errno)));
  return static_cast<std::byte*>(address);
}

/// Memory of a file that nobody can find but through us, filled and then sealed. None where the kernel has no such.
Descriptor make_block(const Trailer& trailer, const SharedBlock::Make& make) {
  Descriptor fd(::memfd_create("kvmesh-weights", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::size_t size = trailer.size + sizeof(Trailer);
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return Descriptor();
  {
    const std::unique_ptr<std::byte, std::function<void(std::byte*)>> bytes(map(fd.get(), size, PROT_READ | PROT_WRITE),
                                                                            [size](std::byte* address) {
                                                                              ::munmap(address, size);
                                                                            });
    make({bytes.get(), trailer.size});
    std::memcpy(bytes.get() + trailer.size, &trailer, sizeof trailer);
  }
  return ::fcntl(fd.get(), F_ADD_SEALS, kSeals) == 0 ? std::move(fd) : Descriptor();
}

OwnedBytes make_own(std::size_t size, const SharedBlock::Make& make) {
  std::byte* address = map(-1, size, PROT_READ | PROT_WRITE);
  const std::shared_ptr<const void> owner(address, [size](std::byte* bytes) { ::munmap(bytes, size); });
  make({address, size});
  return OwnedBytes(owner, {address, size});
}

/// Maps a block, and says so to others for as long as it is mapped.
OwnedBytes hold(Holders& holders, const Trailer& trailer, Descriptor block) {
  const std::size_t mapped = trailer.size + sizeof(Trailer);
  std::byte* address = map(block.get(), mapped, PROT_READ);
  holders.add(block);
  const auto fd = std::make_shared<Descriptor>(std::move(block));
  const std::shared_ptr<const void> owner(address, [path = holders.path(), trailer, mapped, fd](std::byte* bytes) {
    ::munmap(bytes, mapped);
    // A line that stays is forgotten by the next that looks.
    if (auto others = Holders::lock_existing(path, trailer, 100ms)) others->remove(fd->get());
  });
  return OwnedBytes(owner, {address, trailer.size});
}

}  // namespace

OwnedBytes SharedBlock::get(std::uint64_t key, std::size_t size, const Make& make, const std::stop_token& stop) {
  const Trailer trailer{.key = key, .size = size};
  auto holders = Holders::lock(trailer, stop);
  if (!holders) return make_own(size, make);
  holders->remove_stale();
  Descriptor block = holders->find();
  if (!block) block = make_block(trailer, make);
  if (!block) return make_own(size, make);
  return hold(*holders, trailer, std::move(block));
}

}  // namespace kvmesh::llm
