#include "base/memory_limit.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace kvmesh {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// The number in a file such as memory.max; none where it is not there or says "max". Version 1 writes a number near
/// 2^63 where there is no limit, which is above any machine's memory.
std::size_t limit_in(const fs::path& file) {
  std::ifstream in(file);
  unsigned long long bytes = 0;
  return in >> bytes ? static_cast<std::size_t>(bytes) : kNoLimit;
}

/// The tightest limit of a group and of those around it. In a container the group's path may be the host's, and not be
/// there; then that of the mount itself is the container's.
std::size_t limit_of_group(const fs::path& mounted, const std::string& group, const char* file) {
  std::size_t limit = limit_in(mounted / file);
  fs::path at = mounted;
  for (const fs::path& part : fs::path(group).relative_path()) limit = std::min(limit, limit_in((at /= part) / file));
  return limit;
}

bool lists(const std::string& controllers, const std::string& wanted) {
  const std::string all = ',' + controllers + ',';
  return all.find(',' + wanted + ',') != std::string::npos;
}

/// "MemTotal:       24618844 kB", the first line of /proc/meminfo.
std::size_t physical_memory(const fs::path& meminfo) {
  std::ifstream in(meminfo);
  std::string name;
  std::size_t kib = 0;
  return in >> name >> kib && name == "MemTotal:" ? kib * 1024 : kNoLimit;
}

}  // namespace

std::size_t memory_limit(const MemoryLimitPlaces& places) {
  std::size_t limit = physical_memory(places.machine);
  std::ifstream groups(places.groups);
  // Each line is ID:CONTROLLERS:GROUP; version 2's is 0::GROUP. Both may be mounted beside each other.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) limit = std::min(limit, limit_of_group(places.mounted, group, "memory.max"));
    if (lists(controllers, "memory"))
      limit = std::min(limit, limit_of_group(places.mounted / "memory", group, "memory.limit_in_bytes"));
  }
  return limit == kNoLimit ? 0 : limit;
}

}  // namespace kvmesh
