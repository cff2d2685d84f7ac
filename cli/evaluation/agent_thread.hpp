#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agents/agent_core.hpp"
#include "llm/host.hpp"

namespace kvmesh::cli {

/// An AgentCore in this process, as agents::run_agent() is one in a process of its own: events are decided on by
/// whoever brings them, under a lock. The bound of its queue is the mesh's: one record at a time.
class AgentThread {
 public:
  using Answer = agents::TurnAnswer;
  struct Hooks {
    /// A message for outbound edge number `edge`.
    std::function<void(std::size_t edge, wire::UnsealedMessage message)> publish;
    /// What became of a task. Called under the agent's lock: hand it on and return.
    std::function<void(Answer answer)> answer;
    /// How far a search of layers is. The same.
    std::function<void(const bus::Progress& progress)> progress;
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
  agents::AgentCore::Hooks core_hooks(Hooks hooks);

  std::mutex mutex_;  // guards the core's members
  agents::AgentCore core_;
};

}  // namespace kvmesh::cli
