#include "orchestrator/detail/mesh_loop.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>
#include <filesystem>

#include "base/signals.hpp"
#include "bus/stale_socket.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

namespace asio = boost::asio;
using Clock = Supervisor::Clock;

constexpr std::chrono::milliseconds kLeave{1'000};

bus::Endpoint place(const OrchestratorOptions& options, const std::unique_ptr<PrivateFolder>& folder) {
  return options.bind ? *options.bind : bus::Endpoint::ipc((folder->path() / "control").string());
}

SupervisorOptions supervisor_options(const Topology& topology, const OrchestratorOptions& options) {
  return {.threads = options.threads,
          .several_records = options.concurrency > 1,
          .children = options.spawn,
          .liveness = options.liveness.value_or(topology.liveness.value_or(bus::Liveness::kTimeout)),
          .deadlines = options.deadlines};
}

const char* name_of_signal(int signal) {
  switch (signal) {
    case SIGINT: return "SIGINT";
    case SIGHUP: return "SIGHUP";
    case SIGQUIT: return "SIGQUIT";
    default: return "SIGTERM";
  }
}

/// What `action` throws, if it does.
std::optional<Error> failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(ErrorKind::kGiveUp, error.what());
  }
  return std::nullopt;
}

}  // namespace

MeshLoop::MeshLoop(const Topology& topology, const OrchestratorOptions& options)
    : topology_(topology),
      options_(options),
      work_(loop_.get_executor()),
      signals_(loop_, SIGINT, SIGTERM, SIGQUIT),
      folder_(options.bind ? nullptr : std::make_unique<PrivateFolder>()),
      timer_(loop_),
      leaving_(loop_),
      supervisor_(topology, supervisor_options(topology, options), Clock::now()) {
  if (!is_ignored(SIGHUP)) signals_.add(SIGHUP);  // nohup wants it to be
  remove_sockets(/*stale_ones_alone=*/true);
  node_ = std::make_unique<bus::Node>(
      bus::NodeOptions{.control = place(options, folder_), .bind_control = true, .publish = std::nullopt},
      [this](bus::Event event) {
        asio::post(loop_, [this, event = std::move(event)]() mutable { guarded([&] { on_event(std::move(event)); }); });
      });
  wait_for_signal();
  thread_ = std::thread([this] { loop_.run(); });
}

MeshLoop::~MeshLoop() { stop(); }

/// Nobody above a callback hears what it throws, and progress is not worth a mesh.
void MeshLoop::log(const std::string& text) const {
  if (options_.log) failure_of([&] { options_.log(text); });
}

void MeshLoop::say(const std::string& text) {
  asio::post(loop_, [this, text] { log(text); });
}

/// What goes wrong in a handler has nobody above it to hear of it: it ends the mesh.
void MeshLoop::guarded(const std::function<void()>& action) {
  const std::optional<Error> failure = failure_of(action);
  if (!failure) return;
  const auto end_in_order = [&] { perform(supervisor_.fail(failure->kind(), failure->what(), Clock::now())); };
  if (failure_of(end_in_order) || !failure_) break_off(*failure);
}

/// Agents cannot even be told that the mesh is over; that whoever waits hears of it needs none of them.
void MeshLoop::break_off(const Error& error) {
  MeshFailed failed{error.kind(), error.what()};
  perform(failed);
}

template <typename Value>
Value MeshLoop::ask(std::function<void(std::shared_ptr<std::promise<Value>>)> action) {
  if (stopped_) throw Error(ErrorKind::kGiveUp, cat("mesh ", topology_.name, " is stopped; start another"));
  auto promise = std::make_shared<std::promise<Value>>();
  auto future = promise->get_future();
  asio::post(loop_, [this, promise, action = std::move(action)] { answer_or_fail(promise, [&] { action(promise); }); });
  return future.get();
}

/// The caller hears what goes wrong at once; the mesh goes on.
template <typename Value>
void MeshLoop::answer_or_fail(const std::shared_ptr<std::promise<Value>>& promise,
                              const std::function<void()>& action) {
  try {
    action();
  } catch (...) {
    promise->set_exception(std::current_exception());
  }
}

void MeshLoop::refuse_if_failed() const {
  if (failure_) throw Error(failure_->kind(), failure_->what());
}

Fingerprints MeshLoop::start() {
  return ask<Fingerprints>([this](std::shared_ptr<std::promise<Fingerprints>> promise) {
    refuse_if_failed();
    // Agents that run by themselves may all have come already.
    if (supervisor_.ready()) return promise->set_value(supervisor_.models());
    if (options_.spawn) spawn_agents();
    starting_ = std::move(promise);
    arm_timer();
  });
}

void MeshLoop::spawn_agents() {
  std::vector<std::string> names;
  for (const AgentSpec& agent : topology_.agents) names.push_back(agent.name);
  const auto failed = [this](const std::string& reason) {
    guarded([&] {
      perform(supervisor_.fail(ErrorKind::kGiveUp, cat(options_.program.string(), ", started for the agents, ", reason),
                               Clock::now()));
      end_if_childless();
    });
  };
  copies_ = std::make_unique<AgentCopies>(
      loop_, options_.program, names, endpoint().string(),
      [this](const std::vector<pid_t>& agents) { guarded([&] { adopt_agents(agents); }); }, failed);
}

void MeshLoop::adopt_agents(const std::vector<pid_t>& agents) {
  for (std::size_t i = 0; i < agents.size(); ++i) {
    const std::string& name = topology_.agents[i].name;
    auto exited = [this, name, pid = agents[i]](ProcessExit exit) { guarded([&] { on_child_exit(name, pid, exit); }); };
    children_[name] = std::make_unique<ChildProcess>(loop_, agents[i], std::move(exited));
  }
  if (ending_) stop_children();
}

void MeshLoop::submit(const RecordTasks& record) {
  ask<void>([this, &record](std::shared_ptr<std::promise<void>> promise) {
    refuse_if_failed();
    Actions actions = supervisor_.submit(record, Clock::now());
    guarded([&] { perform(std::move(actions)); });
    promise->set_value();
  });
}

RecordOutcome MeshLoop::wait() {
  return ask<RecordOutcome>([this](std::shared_ptr<std::promise<RecordOutcome>> promise) {
    waiting_ = std::move(promise);
    hand_over();
  });
}

/// What was done before the mesh failed is heard of before that.
void MeshLoop::hand_over() {
  if (!waiting_) return;
  if (!done_.empty()) {
    std::exchange(waiting_, nullptr)->set_value(std::move(done_.front()));
    done_.pop_front();
  } else if (failure_) {
    std::exchange(waiting_, nullptr)->set_exception(std::make_exception_ptr(*failure_));
  }
}

void MeshLoop::install(const bus::EdgeScores& scores) {
  ask<void>([this, &scores](std::shared_ptr<std::promise<void>> promise) {
    refuse_if_failed();
    perform(supervisor_.install(scores, Clock::now()));
    promise->set_value();
  });
}

void MeshLoop::stop() {
  if (std::exchange(stopped_, true)) return;
  asio::post(loop_, [this] {
    guarded([this] {
      if (!ending_) perform(supervisor_.say_bye("the work is done", Clock::now()));
    });
  });
  ended_.get_future().wait();
  work_.reset();
  loop_.stop();
  thread_.join();
  copies_.reset();
  children_.clear();
  node_.reset();
  remove_sockets(/*stale_ones_alone=*/false);
}

/// A killed agent leaves its publisher's socket file beside ours. At the start those are another mesh's that was killed
/// with its agents, or of agents that wait for us.
void MeshLoop::remove_sockets(bool stale_ones_alone) {
  if (!options_.bind || options_.bind->scheme() != bus::Endpoint::Scheme::kIpc) return;
  const std::filesystem::path control = options_.bind->path();
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::absolute(control).parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    const bool agents = std::any_of(topology_.agents.begin(), topology_.agents.end(), [&](const AgentSpec& agent) {
      return name.starts_with(cat(control.filename().string(), '.', agent.name, '.'));
    });
    if (!agents || !entry.is_socket(error)) continue;
    if (!stale_ones_alone || bus::is_stale_socket(entry.path())) std::filesystem::remove(entry.path(), error);
  }
}

void MeshLoop::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    guarded([&] {
      perform(
          supervisor_.fail(ErrorKind::kGiveUp, cat("the mesh was stopped by ", name_of_signal(signal)), Clock::now()));
    });
    wait_for_signal();  // a second one changes nothing: what can be ended is being ended
  });
}

void MeshLoop::on_event(bus::Event event) {
  if (const auto* received = std::get_if<bus::ControlReceived>(&event)) return on_control(*received);
  if (const auto* coming = std::get_if<bus::ControlComing>(&event))
    return perform(supervisor_.on_coming(coming->peer, Clock::now()));
  if (const auto* failed = std::get_if<bus::SendFailed>(&event)) {
    if (failed->gone) return perform(supervisor_.on_gone(failed->peer, Clock::now()));
    return perform(
        supervisor_.on_broken(failed->peer, cat("a message could not be sent: ", failed->reason), Clock::now()));
  }
  if (const auto* failed = std::get_if<bus::NodeFailed>(&event)) {
    perform(supervisor_.fail(ErrorKind::kGiveUp, failed->reason, Clock::now()));
  }
}

void MeshLoop::on_control(const bus::ControlReceived& received) {
  Actions actions;
  try {
    actions = supervisor_.on_message(received.peer, bus::decode_control(received.body), Clock::now());
  } catch (const Error& error) {
    actions = supervisor_.on_broken(received.peer, error.what(), Clock::now());
  }
  perform(std::move(actions));  // what goes wrong here is not the peer's doing
}

void MeshLoop::on_child_exit(const std::string& agent, std::int64_t pid, ProcessExit exit) {
  perform(supervisor_.on_exit(agent, pid, exit.killed, describe(exit), Clock::now()));
  end_if_childless();
}

void MeshLoop::perform(Actions actions) {
  for (Action& action : actions) {
    std::visit([this](auto& one) { perform(one); }, action);
  }
  arm_timer();
}

void MeshLoop::perform(SendControl& send) {
  const bool one_of_many = std::holds_alternative<bus::Heartbeat>(send.message);
  node_->send_control(send.peer, bus::encode_control(send.message),
                      one_of_many ? bus::WhenUnread::kDrop : bus::WhenUnread::kFail);
}

void MeshLoop::perform(MeshReady& ready) {
  log(cat("mesh ", topology_.name, " is ready"));
  if (starting_) std::exchange(starting_, nullptr)->set_value(std::move(ready.models));
}

void MeshLoop::perform(RecordDone& done) {
  done_.push_back(std::move(done.outcome));
  hand_over();
}

void MeshLoop::perform(MeshFailed& failed) {
  if (failure_) return;
  failure_.emplace(failed.kind, failed.reason);
  if (starting_) std::exchange(starting_, nullptr)->set_exception(std::make_exception_ptr(*failure_));
  hand_over();
  stop_children();
}

/// Everybody has said bye; children now go by themselves.
void MeshLoop::perform(AllGone&) {
  ending_ = true;
  leaving_.expires_after(kLeave);
  leaving_.async_wait([this](const boost::system::error_code& error) {
    if (!error) guarded([this] { stop_children(); });
  });
  end_if_childless();
}

void MeshLoop::perform(Note& note) { log(note.text); }

void MeshLoop::arm_timer() {
  const Supervisor::Time next = supervisor_.next_wakeup();
  if (ending_ || next == Supervisor::Time::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) guarded([this] { perform(supervisor_.on_time(Clock::now())); });
  });
}

void MeshLoop::stop_children() {
  ending_ = true;
  if (copies_) copies_->stop();
  for (auto& [name, child] : children_) child->stop();
  end_if_childless();
}

void MeshLoop::end_if_childless() {
  const bool starting = copies_ && copies_->starting();
  const bool childless = !starting && std::none_of(children_.begin(), children_.end(),
                                                   [](const auto& child) { return child.second->running(); });
  if (!ending_ || !childless || std::exchange(told_ended_, true)) return;
  leaving_.cancel();
  timer_.cancel();
  ended_.set_value();
}

}  // namespace kvmesh::orchestrator::detail
