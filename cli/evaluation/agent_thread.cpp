#include "cli/evaluation/agent_thread.hpp"

#include <utility>

namespace kvmesh::cli {

AgentThread::AgentThread(std::string name, std::shared_ptr<const llm::Host> host, agents::Wiring wiring, int threads,
                         Hooks hooks)
    : core_(std::move(host), std::move(wiring),
            {.name = std::move(name), .threads = threads, .receive = {}, .keep_prompt_bytes = 0},
            core_hooks(std::move(hooks))) {}

AgentThread::~AgentThread() {
  const std::lock_guard lock(mutex_);
  core_.stop_waiting();
}

agents::AgentCore::Hooks AgentThread::core_hooks(Hooks hooks) {
  return {.publish = std::move(hooks.publish),
          .reuse = {},
          .send_back = nullptr,
          .answer = std::move(hooks.answer),
          .progress = std::move(hooks.progress),
          .post = [this](const std::function<void()>& work) {
            const std::lock_guard lock(mutex_);
            work();
          }};
}

void AgentThread::task(bus::Task task) {
  const std::lock_guard lock(mutex_);
  core_.on_task(std::move(task));
}

void AgentThread::deliver(std::size_t edge, const std::vector<OwnedBytes>& frames) {
  const std::lock_guard lock(mutex_);
  core_.on_message(edge, frames);
}

void AgentThread::scores(const bus::EdgeScores& scores) {
  const std::lock_guard lock(mutex_);
  core_.on_scores(scores);
}

void AgentThread::cancel(const std::string& request) {
  const std::lock_guard lock(mutex_);
  core_.on_cancel(request);
}

}  // namespace kvmesh::cli
