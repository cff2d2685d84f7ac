#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agents/kv_arrivals.hpp"
#include "agents/llm/host.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "base/deadline.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// One agent's part of one request: all that it waited for is there, but for rows of kv that may still be coming.
struct Turn {
  using Clock = std::chrono::steady_clock;
  bus::Task task;
  Inbox inbox;                       ///< empty for kv edges
  std::shared_ptr<KvArrivals> kv;    ///< what comes over those; null where there are none
  Clock::time_point received_at;     ///< of the task
  Clock::time_point complete_at;     ///< of the last thing that it waited for before it could begin
  std::optional<Deadline> deadline;  ///< of the request
};

/// How a turn reaches the world. Both are called on the thread that takes the turn.
struct TurnHooks {
  /// A message for outbound edge number `edge`: [envelope, payload...]. Messages leave as soon as they are made: a
  /// layer of KV while the next is computed. May block (a full queue) and may throw Error, which ends the turn.
  std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)> publish;
  /// True where nobody waits for the turn any more; asked between tokens.
  std::function<bool()> cancelled;
};

/// Takes the turn: reads the prompt behind what comes over kv, each layer as soon as its rows are there, generates
/// where asked to, and publishes what each outbound edge carries. Knows no socket. Throws Error that names the agent's
/// edge or input.
bus::Result take_turn(const llm::Host& host, const Wiring& wiring, const Turn& turn, const TurnHooks& hooks);

}  // namespace kvmesh::agents
