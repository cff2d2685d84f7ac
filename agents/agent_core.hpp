#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/agent.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/kv_reuse.hpp"
#include "agents/turns/turn_thread.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"
#include "llm/host.hpp"

namespace kvmesh::agents {

/// An agent at work, whatever brings it tasks and messages, a process's sockets or another thread: decides on what
/// comes (Agent), has its turns taken on a thread of its own (TurnThread), and says what came of them. A resource; its
/// members are called by one thread at a time, the same that runs what it posts.
class AgentCore {
 public:
  using Clock = Agent::Clock;

  struct Options {
    std::string name;                   ///< the agent's, for errors
    int threads = 0;                    ///< compute threads
    ReceiveOptions receive;             ///< all but the model
    std::size_t keep_prompt_bytes = 0;  ///< of caches of prompts, for those that begin alike; 0: none
  };
  struct Hooks {
    /// A message for outbound edge number `edge`, see TurnHooks::publish. On the computing thread.
    std::function<void(std::size_t edge, wire::UnsealedMessage message)> publish;
    /// As TurnHooks::reuse. On the computing thread.
    KvReuse reuse;
    /// To the sender of inbound edge number `edge`; unset where nobody offers.
    std::function<void(std::size_t edge, const wire::Back& back)> send_back;
    /// What became of a task.
    std::function<void(TurnAnswer answer)> answer;
    /// How far the search is that a task asked for.
    std::function<void(const bus::Progress& progress)> progress;
    /// Runs `work` where the members are called. From any thread.
    std::function<void(std::function<void()> work)> post;
  };

  AgentCore(std::shared_ptr<const llm::Host> host, Wiring wiring, Options options, Hooks hooks);
  /// Ends the turns that are here, each at its next layer or token, and joins.
  ~AgentCore();
  AgentCore(const AgentCore&) = delete;
  AgentCore& operator=(const AgentCore&) = delete;

  const Wiring& wiring() const { return agent_.wiring(); }

  void on_task(bus::Task task);
  /// A message on inbound edge number `edge`: [envelope, payload...].
  void on_message(std::size_t edge, const std::vector<OwnedBytes>& frames);
  /// What came over the edge cannot be read.
  void on_damage(std::size_t edge, const Error& error);
  /// The connection that the edge is heard over was made anew, as Agent::on_renewed().
  void on_renewed(std::size_t edge);
  /// The sender of inbound edge number `edge`, a kv edge, offers: it is answered.
  void on_offer(std::size_t edge, const wire::Offer& offer);
  /// As Agent::on_scores().
  void on_scores(const bus::EdgeScores& scores);
  /// Nobody waits for that request any more.
  void on_cancel(const std::string& request);
  /// A request cannot be done, for a reason that the agent itself does not see.
  void report(const Agent::Failure& failure);
  /// Requests whose deadline has passed fail.
  void on_time(Clock::time_point now);
  /// The next moment at which on_time() can have something to do.
  std::optional<Clock::time_point> next_deadline() const { return agent_.next_deadline(); }
  /// The agent is leaving: no turn waits for rows any more.
  void stop_waiting();
  /// Bytes of rows that are kept.
  std::size_t kept_bytes() const { return agent_.kept_bytes(); }

 private:
  TurnThread::Hooks turn_hooks();
  void act(std::size_t edge, Agent::Outcome outcome);
  void on_turn_end(const TurnAnswer& answer);

  const std::shared_ptr<const llm::Host> host_;
  const std::string name_;
  const Hooks hooks_;
  Agent agent_;
  std::optional<KeptPrompts> kept_prompts_;  ///< the computing thread's
  SearchSamples samples_;                    ///< the same
  TurnThread turns_;                         ///< last: it uses all of these
};

}  // namespace kvmesh::agents
