#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agents/agent_core.hpp"
#include "agents/process/handshake.hpp"
#include "agents/process/surroundings.hpp"
#include "agents/reuse/keep_shares.hpp"
#include "agents/reuse/offering.hpp"
#include "bus/control.hpp"
#include "bus/node.hpp"

namespace boost::asio {
class thread_pool;
}

namespace kvmesh::agents {

/// An AgentCore on the bus, from ready on: brings it tasks and messages, and sends what comes of them. Its members are
/// called on the loop's thread.
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
  void on_time(AgentCore::Clock::time_point now) { core_.on_time(now); }
  /// The next moment at which on_time() can have something to do.
  std::optional<AgentCore::Clock::time_point> next_deadline() const { return core_.next_deadline(); }
  /// The agent that hears `topic` of ours, or its offers; none for another topic.
  std::optional<std::string> receiver_on(const std::string& topic) const;
  /// The agent is leaving: no turn waits for rows any more.
  void stop_waiting() { core_.stop_waiting(); }
  /// Bytes of rows that are kept.
  std::size_t kept_bytes() const { return core_.kept_bytes(); }

 private:
  void apart(std::function<void()> work);
  void answer_offer(std::size_t edge, const bus::Delivered& delivered);
  KeepShares shares() const;
  MakeRoom room_for_caches();
  AgentCore::Options options();
  AgentCore::Hooks hooks();

  const Surroundings around_;
  const Joined joined_;
  Offering offering_;
  std::unique_ptr<boost::asio::thread_pool> resender_;  ///< of messages that are asked for again
  AgentCore core_;
};

}  // namespace kvmesh::agents
