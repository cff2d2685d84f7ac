#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "agents/agent.hpp"
#include "agents/llm/host.hpp"

namespace kvmesh::cli {

/// One agent as a thread of this process: what agents::run_agent() is to a process. It hears through its mailbox, whose
/// bound is the mesh's: one record at a time, and no more than that record's messages.
class AgentThread {
 public:
  using Answer = std::variant<bus::Result, bus::TaskError>;
  struct Hooks {
    /// A message for outbound edge number `edge`.
    std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)> publish;
    /// What became of a task.
    std::function<void(Answer answer)> answer;
  };

  /// `threads`: compute threads of this agent.
  AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads, Hooks hooks);
  /// Ends the turn under way at its next token, and joins.
  ~AgentThread();
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;

  const llm::Host& host() const { return *host_; }

  // From any thread:
  void task(bus::Task task) { post(std::move(task)); }
  void deliver(std::size_t edge, std::vector<OwnedBytes> frames) { post(Delivery{edge, std::move(frames)}); }
  void scores(bus::EdgeScores scores) { post(std::move(scores)); }
  /// Nobody waits for that request any more.
  void cancel(const std::string& request);

 private:
  struct Delivery {
    std::size_t edge;
    std::vector<OwnedBytes> frames;
  };
  struct Stop {};
  using Event = std::variant<bus::Task, Delivery, bus::EdgeScores, bus::Cancel, Stop>;

  void post(Event event);
  Event next();
  void work(int threads);
  void handle(Event& event);
  void act(agents::Agent::Outcome outcome);
  void take(agents::Turn turn);
  bool cancelled(const std::string& request) const;

  const std::string name_;
  const std::shared_ptr<const llm::Host> host_;
  const Hooks hooks_;
  agents::Agent agent_;
  std::string current_;  ///< the request of the task that came last

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable posted_;
  std::deque<Event> mailbox_;
  std::string cancelled_;  ///< the request that was given up last
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace kvmesh::cli
