#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "agents/process/surroundings.hpp"
#include "agents/wiring.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "bus/control.hpp"
#include "llm/host.hpp"

namespace boost::asio {
class thread_pool;
}

namespace kvmesh::agents {

/// What an agent knows when its handshake is over: who it is, whom it hears, who hears it, and its model.
struct Joined {
  bus::Assign assign;
  int threads = 1;  ///< that it computes with
  Wiring wiring;
  std::map<std::string, std::size_t> inbound_by_topic;
  std::map<std::string, std::size_t> offers_by_topic;  ///< inbound edges
  std::vector<bool> borrows;                           ///< by inbound edge: frames are the sender's memory
  std::vector<std::string> outbound_topics;
  std::set<std::string> subscribed;  ///< topics of ours with a subscriber
  bool shares_memory = false;        ///< on some outbound edges: what a turn computes stands there from the start
  std::size_t keep_bytes = 0;        ///< as bus::Edges
  std::size_t waiting_bytes = 0;     ///< as bus::Edges
  std::shared_ptr<const llm::Host> host;
};

/// The agent's side of the way from assign to ready: says what its model is, subscribes at its senders, loads the
/// weights on a thread of its own, and waits for its receivers' subscriptions.
class Handshake {
 public:
  /// `done` is called once, on the loop, when nothing published can miss its subscriber any more.
  Handshake(Surroundings around, std::function<void(Joined)> done);
  /// Asks loading to stop, and waits for its thread.
  ~Handshake();
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  void on(const bus::Assign& assign);
  void on(const bus::Edges& edges);
  void on_subscription(const std::string& topic, bool open);

  /// What it waits for now, after "waits for"; nothing once it is over, and before the assign.
  std::optional<std::string> waiting_for() const;
  /// Throws Error{kRetry}, with what it still waits for, where the orchestrator's deadline has passed.
  void check_deadline(std::chrono::steady_clock::time_point now) const;

 private:
  struct Loaded {
    std::shared_ptr<const llm::Host> host;
    std::optional<Error> error;
  };

  static Loaded load_host(const bus::Assign& assign, int threads, std::stop_token stop);
  void subscribe(const bus::EdgeEnd& end);
  void share_memory(const std::vector<bus::EdgeEnd>& edges);
  void load();
  void on_loaded(const Loaded& loaded);
  void finish_if_all_stands();

  const Surroundings around_;
  std::function<void(Joined)> done_;
  Joined joined_;
  bool assigned_ = false;
  bool loading_ = false;
  std::chrono::milliseconds patience_{0};
  std::optional<Deadline> deadline_;  ///< for ready, from the edges on
  std::stop_source stop_loading_;
  std::unique_ptr<boost::asio::thread_pool> loader_;
};

/// Where receivers that keep blocks subscribe for what the sender of the edge offers; empty for one that carries no kv:
/// two agents may have edges of several media, and one kv edge.
std::string offer_topic(const std::string& mesh, const wire::EdgeSpec& spec);

}  // namespace kvmesh::agents
