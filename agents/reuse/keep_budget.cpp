#include "agents/reuse/keep_budget.hpp"

#include <unistd.h>

#include <algorithm>

namespace kvmesh::agents {

std::size_t keep_budget(std::int64_t mib) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  if (mib >= 0) return static_cast<std::size_t>(mib) * kMiB;
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0) return 256 * kMiB;
  return std::min(static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) / 16, 1024 * kMiB);
}

}  // namespace kvmesh::agents
