#include "cli/evaluation/agent_thread.hpp"

#include "agents/llm/runtime.hpp"
#include "agents/turn.hpp"
#include "base/error.hpp"

namespace kvmesh::cli {

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
    mailbox_.emplace_back(Stop{});
    posted_.notify_all();
  }
  thread_.join();
}

void AgentThread::post(Event event) {
  const std::lock_guard lock(mutex_);
  mailbox_.push_back(std::move(event));
  posted_.notify_all();
}

void AgentThread::cancel(const std::string& request) {
  const std::lock_guard lock(mutex_);
  cancelled_ = request;
  mailbox_.emplace_back(bus::Cancel{request});
  posted_.notify_all();
}

bool AgentThread::cancelled(const std::string& request) const {
  const std::lock_guard lock(mutex_);
  return stopping_ || cancelled_ == request;
}

AgentThread::Event AgentThread::next() {
  std::unique_lock lock(mutex_);
  posted_.wait(lock, [this] { return !mailbox_.empty(); });  // ends with Stop at the latest
  Event event = std::move(mailbox_.front());
  mailbox_.pop_front();
  return event;
}

void AgentThread::work(int threads) {
  llm::set_compute_threads(threads);
  for (Event event = next(); !std::holds_alternative<Stop>(event); event = next()) {
    try {
      handle(event);
    } catch (const Error& error) {  // a message that no request waits for: it is the record's all the same
      hooks_.answer(bus::TaskError{current_, error.kind(), cat("agent ", name_, ": ", error.what())});
    }
  }
}

void AgentThread::handle(Event& event) {
  const auto now = agents::Agent::Clock::now();
  if (auto* task = std::get_if<bus::Task>(&event)) {
    current_ = task->request;
    return act(agent_.on_task(std::move(*task), now));
  }
  if (auto* scores = std::get_if<bus::EdgeScores>(&event)) return agent_.on_scores(*scores);
  if (auto* cancel = std::get_if<bus::Cancel>(&event)) return agent_.on_cancel(cancel->request);
  if (auto* delivery = std::get_if<Delivery>(&event)) act(agent_.on_message(delivery->edge, delivery->frames, now));
}

void AgentThread::act(agents::Agent::Outcome outcome) {
  if (outcome.failure) {
    const auto& failure = *outcome.failure;
    hooks_.answer(bus::TaskError{failure.request, failure.kind, cat("agent ", name_, ": ", failure.reason)});
  }
  if (outcome.turn) take(std::move(*outcome.turn));
}

void AgentThread::take(agents::Turn turn) {
  const std::string request = turn.task.request;
  const agents::TurnHooks hooks{.publish = hooks_.publish, .cancelled = [&] { return cancelled(request); }};
  try {
    hooks_.answer(agents::take_turn(*host_, agent_.wiring(), turn, hooks));
  } catch (const Error& error) {
    hooks_.answer(bus::TaskError{request, error.kind(), cat("agent ", name_, ": ", error.what())});
  } catch (const std::exception& error) {
    hooks_.answer(bus::TaskError{request, ErrorKind::kGiveUp, cat("agent ", name_, ": ", error.what())});
  }
}

}  // namespace kvmesh::cli
