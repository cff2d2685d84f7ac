#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kvmesh::orchestrator {

/// What an agent says of the memory where it runs, and the topology of the agent.
struct AgentMemory {
  std::string host;            ///< the same for agents that share one
  std::uint64_t limit = 0;     ///< bytes that it may use there, its container's limit included; 0: it cannot say
  std::int64_t keep_mib = -1;  ///< of AgentSpec
};

/// An agent's part of its host's memory, in bytes.
struct MemoryShare {
  std::uint64_t keep_bytes = 0;     ///< for what it keeps for later requests
  std::uint64_t waiting_bytes = 0;  ///< for messages that wait for others
  bool operator==(const MemoryShare&) const = default;
};

/// Divides each host's memory among the agents on it, by their names (decision 13). All of them together keep at most
/// `host_keep_mib` MiB; below 0: a sixteenth of what the host has, at most 1 GiB. Agents that keep anything have equal
/// shares of that, none more than its own `keep_mib`. What may wait is a quarter of what the host has, in equal shares.
/// Where an agent cannot say what its host has, 4 GiB are assumed.
std::map<std::string, MemoryShare> share_memory(const std::map<std::string, AgentMemory>& agents,
                                                std::int64_t host_keep_mib);

}  // namespace kvmesh::orchestrator
