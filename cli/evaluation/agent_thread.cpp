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
      kv_(host_->model(), agent_, {}),
      turns_(host_, name_, threads,
             {.publish = hooks_.publish, .ended = [this](Answer answer) { on_turn_end(std::move(answer)); }}) {}

AgentThread::~AgentThread() {
  const std::lock_guard lock(mutex_);
  kv_.fail_all(Error(ErrorKind::kGiveUp, "the agent is leaving"));
}

void AgentThread::task(bus::Task task) {
  const std::lock_guard lock(mutex_);
  current_ = task.request;
  act(agent_.on_task(std::move(task), Agent::Clock::now()));
}

void AgentThread::deliver(std::size_t edge, const std::vector<OwnedBytes>& frames) {
  const std::lock_guard lock(mutex_);
  try {
    if (agent_.wiring().inbound.at(edge).spec.medium != wire::Medium::kKv)
      return act(agent_.on_message(edge, frames, Agent::Clock::now()));
    agents::KvReceiver::Outcome outcome = kv_.on_message(edge, frames, Agent::Clock::now());
    act({.turn = std::move(outcome.turn), .failures = std::move(outcome.failures)});
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
  kv_.fail(request, Error(ErrorKind::kRetry, "the request was cancelled"));
}

void AgentThread::act(Agent::Outcome outcome) {
  if (outcome.turn) {
    outcome.turn->kv = kv_.begin(outcome.turn->task.request);
    turns_.take(std::move(*outcome.turn), agent_.wiring());
  }
  for (const Agent::Failure& failure : outcome.failures) fail(failure);
}

/// A turn that is being taken reports its end itself.
void AgentThread::fail(const Agent::Failure& failure) {
  if (kv_.fail(failure.request, Error(failure.kind, failure.reason))) return;
  hooks_.answer(bus::TaskError{failure.request, failure.kind, cat("agent ", name_, ": ", failure.reason)});
}

void AgentThread::on_turn_end(Answer answer) {
  const std::string request = std::visit([](const auto& one) { return one.request; }, answer);
  const std::lock_guard lock(mutex_);
  agent_.on_turn_end(request);
  kv_.on_turn_end(request);
  hooks_.answer(std::move(answer));
}

}  // namespace kvmesh::cli
