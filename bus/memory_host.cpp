#include "bus/memory_host.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh::bus {
namespace {

constexpr char kSharedMemory[] = "/dev/shm";

}  // namespace

std::string memory_host() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  struct stat status {};
  if (!(file >> boot) || ::stat(kSharedMemory, &status) != 0 || ::access(kSharedMemory, W_OK) != 0) return {};
  return cat(boot, '/', status.st_dev, '/', ::geteuid());
}

void remove_shared_memory_of(std::int64_t pid) {
  std::error_code ignored;  // what cannot be listed or removed is not ours to mend
  const std::string prefix = cat("kvmesh-", pid, '-');
  for (const auto& entry : std::filesystem::directory_iterator(kSharedMemory, ignored))
    if (entry.path().filename().string().starts_with(prefix)) std::filesystem::remove(entry.path(), ignored);
}

}  // namespace kvmesh::bus
