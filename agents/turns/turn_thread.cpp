#include "agents/turns/turn_thread.hpp"

#include <algorithm>
#include <utility>

#include "llm/runtime.hpp"

namespace kvmesh::agents {

TurnThread::TurnThread(std::shared_ptr<const llm::Host> host, const std::string& agent, int threads, Hooks hooks)
    : host_(std::move(host)),
      hooks_(std::move(hooks)),
      batch_(*host_, agent, hooks_.ended),
      thread_([this, threads] { work(threads); }) {}

TurnThread::~TurnThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void TurnThread::take(Turn turn, Wiring wiring) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({std::move(turn), std::move(wiring)});
  changed_.notify_all();
}

TurnHooks TurnThread::hooks_of(const Turn& turn) const {
  return {.publish = hooks_.publish,
          .cancelled = [this, abandoned = turn.abandoned] { return stopping_ || (abandoned && *abandoned); },
          .reuse = hooks_.reuse,
          .prompts = hooks_.prompts,
          .samples = hooks_.samples,
          .progress = hooks_.progress};
}

std::optional<TurnThread::Waiting> TurnThread::next_to_begin() {
  std::unique_lock lock(mutex_);
  if (batch_.size() == 0) changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  if (stopping_ || waiting_.empty()) return std::nullopt;
  auto next = std::find_if(waiting_.begin(), waiting_.end(),
                           [](const Waiting& one) { return !one.turn.kv || one.turn.kv->settled(); });
  if (next == waiting_.end()) {
    if (batch_.size() > 0) return std::nullopt;
    next = waiting_.begin();
  }
  Waiting one = std::move(*next);
  waiting_.erase(next);
  return one;
}

void TurnThread::work(int threads) {
  // Threads are set per thread by some OpenMP runtimes: say it on the one that computes.
  llm::set_compute_threads(threads);
  while (true) {
    if (std::optional<Waiting> next = next_to_begin()) {
      TurnHooks hooks = hooks_of(next->turn);
      batch_.begin(std::move(next->turn), std::move(next->wiring), std::move(hooks));
    } else if (batch_.size() > 0) {
      batch_.step();
    } else {
      return;
    }
  }
}

}  // namespace kvmesh::agents
