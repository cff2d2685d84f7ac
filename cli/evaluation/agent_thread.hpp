#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "agents/agent.hpp"
#include "agents/kv_arrivals.hpp"
#include "agents/llm/host.hpp"

namespace kvmesh::cli {

/// One agent in this process, what agents::run_agent() is to a process: events are decided on by whoever brings them,
/// turns are taken on a thread of its own. The bound of its queue is the mesh's: one record at a time.
class AgentThread {
 public:
  using Answer = std::variant<bus::Result, bus::TaskError>;
  struct Hooks {
    /// A message for outbound edge number `edge`.
    std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)> publish;
    /// What became of a task. Called under the agent's lock: hand it on and return.
    std::function<void(Answer answer)> answer;
  };

  /// `threads`: compute threads of this agent.
  AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads, Hooks hooks);
  /// Ends the turn under way, at its next token or row, and joins.
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
  void place(agents::Agent::Arrival arrival);
  agents::KvArrivals& arrivals_of(const std::string& request);
  void fail(const agents::Agent::Failure& failure);
  bool stop_waiting(const std::string& request, const Error& error);

  void work(int threads);
  Answer take(const agents::Turn& turn, const agents::Wiring& wiring);
  bool cancelled(const std::string& request) const;

  const std::string name_;
  const std::shared_ptr<const llm::Host> host_;
  const Hooks hooks_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  agents::Agent agent_;
  std::map<std::string, std::shared_ptr<agents::KvArrivals>> arrivals_;  ///< of requests that are open
  std::deque<agents::Turn> turns_;                                       ///< to be taken
  std::string taking_;                                                   ///< the request of the turn being taken
  std::string current_;                                                  ///< that of the task that came last
  std::string cancelled_;                                                ///< the one that was given up last
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace kvmesh::cli
