#include "cli/evaluation/agent_thread.hpp"

#include "base/error.hpp"

namespace kvmesh::cli {

using agents::Agent;

AgentThread::AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads,
                         Hooks hooks)
    : name_(std::move(name)),
      host_(std::move(host)),
      hooks_(std::move(hooks)),
      agent_(std::move(wiring)),
      turns_(host_, name_, threads,
             {.publish = hooks_.publish, .ended = [this](Answer answer) { on_turn_end(std::move(answer)); }}) {}

AgentThread::~AgentThread() {
  const std::lock_guard lock(mutex_);
  for (auto& [request, arrivals] : arrivals_) arrivals->fail(Error(ErrorKind::kGiveUp, "the agent is leaving"));
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
  agent_.on_cancel(request);
  turns_.cancel(request);
  stop_waiting(request, Error(ErrorKind::kRetry, "the request was cancelled"));
}

void AgentThread::act(Agent::Outcome outcome) {
  if (outcome.arrival) place(std::move(*outcome.arrival));
  if (outcome.turn) {
    agents::Turn& turn = *outcome.turn;
    if (arrivals_.contains(turn.task.request)) turn.kv = arrivals_.at(turn.task.request);
    taken_.insert(turn.task.request);
    turns_.take(std::move(turn), agent_.wiring());
  }
  for (const Agent::Failure& failure : outcome.failures) fail(failure);
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
  return taken_.contains(request);
}

void AgentThread::on_turn_end(Answer answer) {
  const std::string request = std::visit([](const auto& one) { return one.request; }, answer);
  const std::lock_guard lock(mutex_);
  taken_.erase(request);
  arrivals_.erase(request);
  agent_.on_turn_end(request);
  hooks_.answer(std::move(answer));
}

}  // namespace kvmesh::cli
