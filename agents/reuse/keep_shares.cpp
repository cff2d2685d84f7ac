#include "agents/reuse/keep_shares.hpp"

#include <algorithm>

namespace kvmesh::agents {

KeepShares keep_shares(const Wiring& wiring, std::size_t bytes) {
  const auto is_kv = [](const auto& edge) { return edge.spec.medium == wire::Medium::kKv; };
  KeepShares shares;
  if (std::any_of(wiring.outbound.begin(), wiring.outbound.end(), is_kv)) shares.sent = bytes / 4;
  const bool receives = std::any_of(wiring.inbound.begin(), wiring.inbound.end(), is_kv);
  (receives ? shares.received : shares.prompts) = bytes - shares.sent;
  return shares;
}

}  // namespace kvmesh::agents
