#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agents/agent.hpp"
#include "agents/process/handshake.hpp"
#include "agents/process/surroundings.hpp"
#include "agents/receive/kv_receiver.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/offering.hpp"
#include "agents/turns/turn_thread.hpp"
#include "bus/control.hpp"
#include "bus/node.hpp"

namespace boost::asio {
class thread_pool;
}

namespace kvmesh::agents {

/// An agent at work, from ready on: takes tasks and messages from the bus, has its turns taken on a thread of its own,
/// and sends what comes of them. Its members are called on the loop's thread.
class Running {
 public:
  Running(Surroundings around, Joined joined);
  /// Ends the turns that are here and waits for the threads.
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void on(bus::Task& task);
  void on(const bus::Cancel& cancel);
  void on(const bus::Scores& scores);
  void on(const bus::Delivered& delivered);
  void on(const bus::ConnectionRenewed& renewed);
  void on(const bus::CameBack& back);
  void on_subscription(const std::string& topic, bool open);

  /// Requests whose deadline has passed fail.
  void on_time(Agent::Clock::time_point now);
  /// The next moment at which on_time() can have something to do.
  std::optional<Agent::Clock::time_point> next_deadline() const { return agent_.next_deadline(); }
  /// The agent that hears `topic` of ours, or its offers; none for another topic.
  std::optional<std::string> receiver_on(const std::string& topic) const;
  /// The agent is leaving: no turn waits for rows any more.
  void stop_waiting();
  /// Bytes of rows that are kept.
  std::size_t kept_bytes() const { return kv_.kept_bytes(); }

 private:
  void apart(std::function<void()> work);
  void answer_offer(std::size_t edge, const bus::Delivered& delivered);
  MakeRoom room_for_caches();
  TurnThread::Hooks hooks();
  void report(const Agent::Failure& failure);
  void act(Agent::Outcome outcome);
  void on_failure(const Agent::Failure& failure);
  void begin(Turn turn);
  void on_turn_end(const TurnAnswer& answer);

  const Surroundings around_;
  const Joined joined_;
  Agent agent_;
  KvReceiver kv_;
  std::optional<KeptPrompts> kept_prompts_;  ///< the computing thread's
  Offering offering_;
  std::unique_ptr<boost::asio::thread_pool> resender_;  ///< of messages that are asked for again
  TurnThread turn_thread_;
};

}  // namespace kvmesh::agents
