#include "cli/evaluation/agent_thread.hpp"

#include "agents/llm/runtime.hpp"
#include "agents/turn.hpp"
#include "base/error.hpp"

namespace kvmesh::cli {

using agents::Agent;

AgentThread::AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads,
                         Hooks hooks)
    : name_(std::move(name)),
      host_(std::move(host)),
      hooks_(std::move(hooks)),
      agent_(std::move(wiring)),
      thread_([this, threads] { work(threads); }) {}

AgentThread::~AgentThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [request, arrivals] : arrivals_) arrivals->fail(Error(ErrorKind::kGiveUp, "the agent is leaving"));
    changed_.notify_all();
  }
  thread_.join();
}

void AgentThread::task(bus::Task task) {
  const std::lock_guard lock(mutex_);
  current_ = task.request;
  act(agent_.on_task(std::move(task), Agent::Clock::now()));
}

void AgentThread::deliver(std::size_t edge, const std::vector<OwnedBytes>& frames) {
  const std::lock_guard lock(mutex_);
  try {
    act(agent_.on_message(edge, frames, Agent::Clock::now()));
  } catch (const Error& error) {  // a message that no request waits for: it is the record's all the same
    fail({current_, error.kind(), error.what()});
  }
}

void AgentThread::scores(const bus::EdgeScores& scores) {
  const std::lock_guard lock(mutex_);
  agent_.on_scores(scores);
}

void AgentThread::cancel(const std::string& request) {
  const std::lock_guard lock(mutex_);
  cancelled_ = request;
  agent_.on_cancel(request);
  stop_waiting(request, Error(ErrorKind::kRetry, "the request was cancelled"));
}

void AgentThread::act(Agent::Outcome outcome) {
  if (outcome.arrival) place(std::move(*outcome.arrival));
  if (outcome.turn) {
    agents::Turn& turn = turns_.emplace_back(std::move(*outcome.turn));
    if (arrivals_.contains(turn.task.request)) turn.kv = arrivals_.at(turn.task.request);
    changed_.notify_all();
  }
  if (outcome.failure) fail(*outcome.failure);
}

void AgentThread::place(Agent::Arrival arrival) {
  try {
    arrivals_of(arrival.request).place(arrival.edge, std::move(arrival.message));
  } catch (const Error& error) {
    agent_.on_cancel(arrival.request);
    fail({arrival.request, error.kind(), error.what()});
  }
}

agents::KvArrivals& AgentThread::arrivals_of(const std::string& request) {
  std::shared_ptr<agents::KvArrivals>& arrivals = arrivals_[request];
  if (!arrivals) arrivals = std::make_shared<agents::KvArrivals>(host_->model(), agent_.wiring());
  return *arrivals;
}

/// A turn that is being taken reports its end itself.
void AgentThread::fail(const Agent::Failure& failure) {
  if (stop_waiting(failure.request, Error(failure.kind, failure.reason))) return;
  hooks_.answer(bus::TaskError{failure.request, failure.kind, cat("agent ", name_, ": ", failure.reason)});
}

bool AgentThread::stop_waiting(const std::string& request, const Error& error) {
  const auto found = arrivals_.find(request);
  if (found == arrivals_.end()) return false;
  found->second->fail(error);
  arrivals_.erase(found);
  return taking_ == request;
}

bool AgentThread::cancelled(const std::string& request) const {
  const std::lock_guard lock(mutex_);
  return stopping_ || cancelled_ == request;
}

void AgentThread::work(int threads) {
  llm::set_compute_threads(threads);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    if (stopping_) return;
    const agents::Turn turn = std::move(turns_.front());
    turns_.pop_front();
    taking_ = turn.task.request;
    // Copied: scores may change it while the turn is taken.
    const agents::Wiring wiring = agent_.wiring();
    lock.unlock();
    Answer answer = take(turn, wiring);
    lock.lock();
    taking_.clear();
    arrivals_.erase(turn.task.request);
    agent_.on_turn_end(turn.task.request);
    hooks_.answer(std::move(answer));
  }
}

AgentThread::Answer AgentThread::take(const agents::Turn& turn, const agents::Wiring& wiring) {
  const std::string& request = turn.task.request;
  const agents::TurnHooks hooks{.publish = hooks_.publish, .cancelled = [&] { return cancelled(request); }};
  try {
    return agents::take_turn(*host_, wiring, turn, hooks);
  } catch (const Error& error) {
    return bus::TaskError{request, error.kind(), cat("agent ", name_, ": ", error.what())};
  } catch (const std::exception& error) {
    return bus::TaskError{request, ErrorKind::kGiveUp, cat("agent ", name_, ": ", error.what())};
  }
}

}  // namespace kvmesh::cli
