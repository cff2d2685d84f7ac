#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/receive/kv_arrivals.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/kv_reuse.hpp"
#include "agents/turns/layer_search.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "base/deadline.hpp"
#include "bus/control.hpp"
#include "llm/host.hpp"

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
  std::shared_ptr<const std::atomic<bool>> abandoned = nullptr;  ///< true once nobody waits for it; null: never
};

/// How a turn reaches the world. Both are called on the thread that takes the turn.
struct TurnHooks {
  /// A message for outbound edge number `edge`. Messages leave as soon as they are made: a layer of KV while the next
  /// is computed. May block (a full queue) and may throw Error, which ends the turn.
  std::function<void(std::size_t edge, wire::UnsealedMessage message)> publish;
  /// True where nobody waits for the turn any more; asked between layers of the prompt and between tokens.
  std::function<bool()> cancelled;
  /// How receivers are told what need not be sent again; unset: everything is sent.
  KvReuse reuse;
  /// Caches of earlier prompts; null: every prompt is computed from its first token.
  KeptPrompts* prompts = nullptr;
  /// Where a calibration by loss gathers its records; null: for agents that none is asked of.
  SearchSamples* samples = nullptr;
  /// How far its search is.
  std::function<void(const bus::Progress&)> progress = nullptr;
};

/// A turn that is being taken, in steps, so that several of one agent can be decoded together (TurnBatch): begin(),
/// then next() as long as there is a token to decode, then finish(). Knows no socket. Each step throws Error that names
/// the agent's edge or input, or says that the request was cancelled or is late; the turn is over then. A resource; one
/// thread at a time.
class RunningTurn {
 public:
  /// `host` outlives the turn.
  RunningTurn(const llm::Host& host, Wiring wiring, Turn turn, TurnHooks hooks);
  ~RunningTurn();
  RunningTurn(const RunningTurn&) = delete;
  RunningTurn& operator=(const RunningTurn&) = delete;

  const std::string& request() const;

  /// Reads the prompt behind what comes over kv, each layer as soon as its rows are there, and publishes what edges
  /// carry of it. Gives the first token that is to be decoded; none: nothing is.
  std::optional<std::int64_t> begin();
  /// Chooses from the logits behind the last token, fp32 [1, vocab_size]. Gives the next one that is to be decoded;
  /// none: all is said.
  std::optional<std::int64_t> next(const at::Tensor& logits);
  /// Where tokens are decoded; has room for all of them after begin().
  llm::KvCache& cache();
  /// Publishes what edges carry of what was said.
  bus::Result finish();

 private:
  class Steps;
  std::unique_ptr<Steps> steps_;
};

}  // namespace kvmesh::agents
