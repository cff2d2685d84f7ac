#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <zmq.hpp>

#include "bus/detail/connection_watch.hpp"
#include "bus/detail/control_pieces.hpp"
#include "bus/detail/local_connections.hpp"
#include "bus/detail/outstanding.hpp"
#include "bus/detail/reconnections.hpp"
#include "bus/detail/shared_view.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/socket_file.hpp"
#include "bus/endpoint.hpp"
#include "bus/node.hpp"

namespace kvmesh::bus::detail {

/// The three sockets of a node. Made on one thread and then used, and destroyed, by one other. Nothing here waits but
/// receive() and the destructor, which gives what is queued up to a second to leave.
///
/// Bounds. Published messages: ZeroMQ's high-water mark counts messages and not bytes, so the publisher has none and
/// the node's ByteBudget bounds what it holds; with a mark as well, a run of small layers would block long before the
/// budget does, and POLLOUT, which XPUB always reports, could not be slept on. Control messages: at most
/// kControlHighWater unread ones or pieces a peer; beyond it a message fails, because such a peer is not a slow one but
/// a stuck one. Received messages: NodeOptions::receive_budget_bytes in events and as much in ZeroMQ, whose mark is
/// made from it; the rest stays with the publisher. What subscribers send back: ZeroMQ's own mark of 1,000 messages;
/// beyond it they are dropped, as Node::send_back() says that they may be.
class Sockets {
 public:
  static constexpr int kControlHighWater = 4'096;

  /// Binds and connects. Throws Error that names the endpoint. `handler` outlives this. `wake`: called on any thread
  /// when there is room again for what comes in; as Outstanding's.
  Sockets(const NodeOptions& options, const Node::Handler& handler, std::function<void()> wake);

  const Endpoint& control_endpoint() const { return control_endpoint_; }
  const std::optional<Endpoint>& publish_endpoint() const { return publish_endpoint_; }

  /// Sleeps until there is something to receive or `wake_descriptor` can be read, or for `timeout`; -1 ms: for ever.
  /// Then hands what came in to the handler, a bounded number of messages a socket. Returns whether `wake_descriptor`
  /// can be read.
  bool receive(int wake_descriptor, std::chrono::milliseconds timeout);

  void send_control(const std::string& peer, OwnedBytes body, WhenUnread when_unread);
  /// Whether somebody subscribes to `topic` now.
  bool has_subscriber(const std::string& topic);
  /// `keeps` is held until ZeroMQ has let go of every frame; at once where nobody subscribes any more.
  void publish(const std::string& topic, Message message, std::shared_ptr<const void> keeps);
  void subscribe(const Endpoint& publisher, const std::string& topic, bool shared_memory);
  void unsubscribe(const std::string& topic);
  void send_back(const std::string& topic, const OwnedBytes& body);

 private:
  void receive_control();
  void receive_body(ControlReceived event, Message frames);
  void receive_from_subscribers();
  void receive_back(const Frame& frame);
  void receive_published();
  void note_renewed_connections();
  void send_upstream(std::optional<char> kind, std::string_view topic, std::string_view rest = {});

  const Node::Handler& handler_;
  const std::size_t receive_budget_;
  const std::shared_ptr<Outstanding> received_;  ///< bytes in events that somebody has
  const bool binds_control_;
  zmq::context_t context_;
  Socket control_;
  ControlPieces control_pieces_;
  std::optional<ConnectionWatch> control_watch_;       ///< where it connects
  Socket publisher_;                                   ///< closed on a node that publishes nothing
  std::optional<LocalConnections> local_connections_;  ///< to the publisher
  Socket subscriber_;
  Reconnections reconnections_;  ///< of the subscriber
  Endpoint control_endpoint_;
  std::optional<Endpoint> publish_endpoint_;
  std::optional<SocketFile> control_file_;  ///< of bound ipc sockets
  std::optional<SocketFile> publish_file_;
  std::set<std::string> subscribers_to_;  ///< topics with at least one subscriber
  std::set<std::string> subscribed_to_;   ///< topics that we hear
  std::set<std::string> shared_;          ///< of these, those whose messages have a trailer
  SharedViews views_;
  std::map<std::string, std::set<std::string>> topics_at_;  ///< that we hear, by publisher
  std::set<std::string> renewed_;  ///< topics whose connection is new, until what came over the old one is delivered
};

}  // namespace kvmesh::bus::detail
