#pragma once

#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/deadline.hpp"
#include "bus/node.hpp"

namespace kvmesh::bus::test {

/// Far beyond what anything here takes, so that it passes only when something hangs.
inline constexpr std::chrono::seconds kPatience{20};

/// Where a node's events wait until a test asks for them. Outlives the node.
class EventLog {
 public:
  Node::Handler handler() {
    return [this](Event event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      arrived_.notify_all();
    };
  }

  /// The next event of type T; others stay in line. Throws when none comes.
  template <typename T>
  T next(std::chrono::milliseconds patience = kPatience) {
    auto event = find<T>(patience);
    if (!event) throw std::runtime_error("the event that the test waits for did not come");
    return *std::move(event);
  }

  /// Whether an event of type T is in line now.
  template <typename T>
  bool has() {
    const std::lock_guard lock(mutex_);
    for (const Event& event : events_) {
      if (std::holds_alternative<T>(event)) return true;
    }
    return false;
  }

 private:
  template <typename T>
  std::optional<T> find(std::chrono::milliseconds patience) {
    const auto deadline = Deadline::after(patience);
    std::unique_lock lock(mutex_);
    do {
      for (auto at = events_.begin(); at != events_.end(); ++at) {
        if (!std::holds_alternative<T>(*at)) continue;
        T found = std::get<T>(std::move(*at));
        events_.erase(at);
        return found;
      }
    } while (arrived_.wait_until(lock, deadline.when()) == std::cv_status::no_timeout);
    return std::nullopt;
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Event> events_;
};

/// A folder of its own under the temporary one, removed with what is in it.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kvmesh-bus-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  Endpoint ipc(const std::string& name) const { return Endpoint::ipc(file(name)); }

 private:
  std::filesystem::path path_;
};

/// A node with its log: a hub binds its control socket, a spoke connects to a hub's. Both publish where told.
struct TestNode {
  EventLog log;
  Node node;

  explicit TestNode(NodeOptions options) : node(std::move(options), log.handler()) {}

  static NodeOptions hub(Endpoint control, std::optional<Endpoint> publish = std::nullopt) {
    return {.control = std::move(control), .bind_control = true, .publish = std::move(publish)};
  }
  static NodeOptions spoke(Endpoint control, std::optional<Endpoint> publish = std::nullopt) {
    return {.control = std::move(control), .bind_control = false, .publish = std::move(publish)};
  }
};

inline Frame text(std::string value) { return Frame::from_string(std::move(value)); }

}  // namespace kvmesh::bus::test
