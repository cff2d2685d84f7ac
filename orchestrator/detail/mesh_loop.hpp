#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "bus/node.hpp"
#include "orchestrator/agent_copies.hpp"
#include "orchestrator/detail/private_folder.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/process.hpp"
#include "orchestrator/supervisor.hpp"

namespace kvmesh::orchestrator::detail {

/// The thread that a mesh lives on: it owns the Asio loop with timers, signals and child processes, hears the bus, and
/// carries out what the supervisor decides. Its members are called from one other thread and wait for that thread; what
/// they throw is an Error.
class MeshLoop {
 public:
  /// Both outlive the loop. Binds the control socket.
  MeshLoop(const Topology& topology, const OrchestratorOptions& options);
  ~MeshLoop();
  MeshLoop(const MeshLoop&) = delete;
  MeshLoop& operator=(const MeshLoop&) = delete;

  const bus::Endpoint& endpoint() const { return node_->control_endpoint(); }
  Fingerprints start();
  void submit(const RecordTasks& record);
  /// The next record that is done, of those that were submitted.
  RecordOutcome wait();
  void install(const bus::EdgeScores& scores);
  /// Progress, for OrchestratorOptions::log, which hears of everything from the loop's thread.
  void say(const std::string& text);
  void stop();

 private:
  /// Runs `action` on the loop with a promise, and waits for that.
  template <typename Value>
  Value ask(std::function<void(std::shared_ptr<std::promise<Value>>)> action);
  template <typename Value>
  void answer_or_fail(const std::shared_ptr<std::promise<Value>>& promise, const std::function<void()>& action);

  // On the loop's thread:
  void refuse_if_failed() const;
  void guarded(const std::function<void()>& action);
  void break_off(const Error& error);
  void wait_for_signal();
  void spawn_agents();
  void adopt_agents(const std::vector<pid_t>& agents);
  void on_event(bus::Event event);
  void on_control(const bus::ControlReceived& received);
  void on_child_exit(const std::string& agent, std::int64_t pid, ProcessExit exit);
  void perform(Actions actions);
  void perform(SendControl& send);
  void perform(MeshReady& ready);
  void perform(RecordDone& done);
  void perform(MeshFailed& failed);
  void perform(AllGone& gone);
  void perform(Note& note);
  void hand_over();
  void arm_timer();
  void stop_children();
  void end_if_childless();
  void log(const std::string& text) const;
  void remove_sockets(bool stale_ones_alone);

  const Topology& topology_;
  const OrchestratorOptions& options_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::signal_set signals_;
  std::unique_ptr<PrivateFolder> folder_;  ///< after the signals that would leave it behind
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer leaving_;  ///< how long children may take to go by themselves after bye
  Supervisor supervisor_;
  std::unique_ptr<AgentCopies> copies_;  ///< of what becomes the children
  std::map<std::string, std::unique_ptr<ChildProcess>> children_;
  std::optional<Error> failure_;
  bool ending_ = false;   ///< children are to go; once none is left, `ended_` is told
  bool stopped_ = false;  ///< of the caller's thread
  std::shared_ptr<std::promise<Fingerprints>> starting_;
  std::deque<RecordOutcome> done_;  ///< of records that nobody has asked for yet: no more than were submitted
  std::shared_ptr<std::promise<RecordOutcome>> waiting_;
  std::promise<void> ended_;
  bool told_ended_ = false;
  std::unique_ptr<bus::Node> node_;
  std::thread thread_;
};

}  // namespace kvmesh::orchestrator::detail
