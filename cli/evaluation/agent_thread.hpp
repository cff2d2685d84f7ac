#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agents/agent.hpp"
#include "agents/receive/kv_receiver.hpp"
#include "agents/turns/turn_thread.hpp"
#include "llm/host.hpp"

namespace kvmesh::cli {

/// One agent in this process, what agents::run_agent() is to a process: events are decided on by whoever brings them,
/// turns are taken on a thread of its own. The bound of its queue is the mesh's: one record at a time.
class AgentThread {
 public:
  using Answer = agents::TurnAnswer;
  struct Hooks {
    /// A message for outbound edge number `edge`.
    std::function<void(std::size_t edge, wire::UnsealedMessage message)> publish;
    /// What became of a task. Called under the agent's lock: hand it on and return.
    std::function<void(Answer answer)> answer;
  };

  /// `threads`: compute threads of this agent.
  AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads, Hooks hooks);
  /// Ends the turn under way, at its next token or row.
  ~AgentThread();
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;

  // From any thread:
  void task(bus::Task task);
  void deliver(std::size_t edge, const std::vector<OwnedBytes>& frames);
  void scores(const bus::EdgeScores& scores);
  /// Nobody waits for that request any more.
  void cancel(const std::string& request);

 private:
  // Under the lock:
  void act(agents::Agent::Outcome outcome);
  void fail(const agents::Agent::Failure& failure);

  void on_turn_end(Answer answer);

  const std::string name_;
  const std::shared_ptr<const llm::Host> host_;
  const Hooks hooks_;

  std::mutex mutex_;  // guards what follows
  agents::Agent agent_;
  agents::KvReceiver kv_;
  std::string current_;  ///< the request of the task that came last

  agents::TurnThread turns_;
};

}  // namespace kvmesh::cli
