#include "orchestrator/memory_shares.hpp"

#include <algorithm>

namespace kvmesh::orchestrator {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kAssumed = 4096 * kMiB;
constexpr std::uint64_t kMostByDefault = 1024 * kMiB;

struct Host {
  std::uint64_t limit = 0;
  std::uint64_t agents = 0;
  std::uint64_t keeping = 0;  ///< agents
};

}  // namespace

std::map<std::string, MemoryShare> share_memory(const std::map<std::string, AgentMemory>& agents,
                                                std::int64_t host_keep_mib) {
  std::map<std::string, Host> hosts;
  for (const auto& [name, agent] : agents) {
    Host& host = hosts[agent.host];
    const std::uint64_t limit = agent.limit > 0 ? agent.limit : kAssumed;
    host.limit = host.agents == 0 ? limit : std::min(host.limit, limit);
    ++host.agents;
    if (agent.keep_mib != 0) ++host.keeping;
  }
  std::map<std::string, MemoryShare> shares;
  for (const auto& [name, agent] : agents) {
    const Host& host = hosts[agent.host];
    const std::uint64_t keep = host_keep_mib >= 0 ? static_cast<std::uint64_t>(host_keep_mib) * kMiB
                                                  : std::min(host.limit / 16, kMostByDefault);
    MemoryShare& share = shares[name];
    share.waiting_bytes = host.limit / 4 / host.agents;
    share.keep_bytes = agent.keep_mib == 0 ? 0 : keep / host.keeping;
    if (agent.keep_mib > 0)
      share.keep_bytes = std::min(share.keep_bytes, static_cast<std::uint64_t>(agent.keep_mib) * kMiB);
  }
  return shares;
}

}  // namespace kvmesh::orchestrator
