#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "agents/llm/host.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// One agent's part of one request: everything that it waited for is there.
struct Turn {
  using Clock = std::chrono::steady_clock;
  bus::Task task;
  Inbox inbox;
  Clock::time_point received_at;  ///< of the task
  Clock::time_point complete_at;  ///< of the last thing that it waited for
};

/// How a turn reaches the world. Both are called on the thread that takes the turn.
struct TurnHooks {
  /// A message for outbound edge number `edge`: [envelope, payload...]. Messages leave as soon as they are made: a
  /// layer of KV while the next is computed. May block (a full queue) and may throw Error, which ends the turn.
  std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)> publish;
  /// True where nobody waits for the turn any more; asked between tokens.
  std::function<bool()> cancelled;
};

/// Takes the turn: puts what came in over kv into a fresh cache, reads the prompt, generates where asked to, and
/// publishes what each outbound edge carries. Knows no socket: the agent process and the in-process mesh both call it.
/// Throws Error that names the agent's edge or input.
bus::Result take_turn(const llm::Host& host, const Wiring& wiring, const Turn& turn, const TurnHooks& hooks);

}  // namespace kvmesh::agents
