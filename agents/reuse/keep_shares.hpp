#pragma once

#include <cstddef>

#include "agents/wiring.hpp"

namespace kvmesh::agents {

/// How an agent divides the bytes that it may keep for later requests.
struct KeepShares {
  std::size_t received = 0;  ///< rows that came over kv edges
  std::size_t prompts = 0;   ///< caches of its own prompts
  std::size_t sent = 0;      ///< messages that may be asked for again
};

/// `bytes` in all. A quarter is for what was sent, where a kv edge leads out. The rest is for received rows where one
/// leads in, and else for own prompts: behind shared rows no prompt is kept, since its rows depend on them.
KeepShares keep_shares(const Wiring& wiring, std::size_t bytes);

}  // namespace kvmesh::agents
