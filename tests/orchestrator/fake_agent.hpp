#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bus/control.hpp"
#include "bus/node.hpp"

namespace kvmesh::orchestrator::test {

/// How a FakeAgent behaves; what is left out, it does as it should.
struct Behaviour {
  std::string manifest;  ///< its hello's, JSON
  /// What it answers a task with; none: nothing, and it stays alive.
  std::function<std::optional<bus::Control>(const bus::Task&)> answer;
  std::size_t answers_together = 1;  ///< it answers when so many tasks have come, the last first
  bool silent_at_task = false;       ///< not even heartbeats, from the first task on
  bool says_ready = true;
};

/// An agent without a model: speaks the control protocol over a real socket from a thread of its own. Everything that
/// it was sent stays readable.
class FakeAgent {
 public:
  FakeAgent(std::string name, const bus::Endpoint& orchestrator, Behaviour behaviour)
      : name_(std::move(name)),
        behaviour_(std::move(behaviour)),
        node_({.control = orchestrator, .bind_control = false, .publish = std::nullopt},
              [this](bus::Event event) { receive(std::move(event)); }),
        thread_([this] { run(); }) {}
  ~FakeAgent() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

  /// The first message of type T that it was sent; waits for it.
  template <typename T>
  std::optional<T> wait_for(std::chrono::seconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    std::optional<T> found;
    changed_.wait_for(lock, patience, [&] {
      for (const bus::Control& message : heard_) {
        if (const T* one = std::get_if<T>(&message)) return found = *one, true;
      }
      return false;
    });
    return found;
  }
  template <typename T>
  std::vector<T> all() {
    const std::lock_guard lock(mutex_);
    std::vector<T> found;
    for (const bus::Control& message : heard_) {
      if (const T* one = std::get_if<T>(&message)) found.push_back(*one);
    }
    return found;
  }
  /// Waits until it was let go: bye or refused. For a program that is nothing but this agent.
  void wait_until_over() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_; });
  }

 private:
  void receive(bus::Event event) {
    const auto* received = std::get_if<bus::ControlReceived>(&event);
    if (received == nullptr) return;
    const std::lock_guard lock(mutex_);
    waiting_.push_back(bus::decode_control(received->body));
    changed_.notify_all();
  }

  void run() {
    send(bus::Join{.agent = name_, .pid = ::getpid(), .host = "test"});
    auto next_heartbeat = std::chrono::steady_clock::now();
    while (auto more = next(next_heartbeat)) {
      for (const bus::Control& message : *more) handle(message);
      if (std::chrono::steady_clock::now() < next_heartbeat) continue;
      if (!silent_) send(bus::Heartbeat{});
      next_heartbeat = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    }
  }

  /// What came until `when` at the latest; nothing at all once it is over.
  std::optional<std::deque<bus::Control>> next(std::chrono::steady_clock::time_point when) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, when, [this] { return over_ || !waiting_.empty(); });
    if (over_) return std::nullopt;
    return std::exchange(waiting_, {});
  }

  void handle(const bus::Control& message) {
    if (std::holds_alternative<bus::Assign>(message)) {
      send(bus::Hello{behaviour_.manifest, "ipc:///tmp/kvmesh-fake-" + name_});
    }
    if (std::holds_alternative<bus::Edges>(message) && behaviour_.says_ready) send(bus::Ready{"w"});
    if (const auto* task = std::get_if<bus::Task>(&message)) take(*task);
    if (std::holds_alternative<bus::Bye>(message) && !silent_) send(bus::Bye{});
    const std::lock_guard lock(mutex_);
    heard_.push_back(message);
    over_ = over_ || std::holds_alternative<bus::Bye>(message) || std::holds_alternative<bus::Refused>(message);
    changed_.notify_all();
  }

  void take(const bus::Task& task) {
    silent_ = behaviour_.silent_at_task;
    if (silent_ || !behaviour_.answer) return;
    tasks_.push_back(task);
    if (tasks_.size() < behaviour_.answers_together) return;
    for (; !tasks_.empty(); tasks_.pop_back())
      if (auto answer = behaviour_.answer(tasks_.back())) send(*answer);
  }

  void send(const bus::Control& message) { node_.send_control("", bus::encode_control(message)); }

  std::string name_;
  Behaviour behaviour_;
  bool silent_ = false;
  std::vector<bus::Task> tasks_;  ///< not answered yet
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<bus::Control> waiting_;
  std::vector<bus::Control> heard_;
  bool over_ = false;
  bus::Node node_;
  std::thread thread_;
};

}  // namespace kvmesh::orchestrator::test
