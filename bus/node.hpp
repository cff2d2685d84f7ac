#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bus/endpoint.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus {

/// A control message came in. `peer` names its sender: on a node that binds its control socket an opaque id, good for
/// answering; on one that connects, empty.
struct ControlReceived {
  std::string peer;
  OwnedBytes body;
};
/// Part of a long control message came in: `peer` lives. The whole comes as ControlReceived.
struct ControlComing {
  std::string peer;
};
/// A subscriber to `topic` is there: what is published from now on reaches it. Said again for each one that joins, so
/// that a restarted subscriber is heard before the loss of its predecessor is noticed.
struct SubscriptionOpened {
  std::string topic;
};
/// The last subscriber to `topic` is gone.
struct SubscriptionClosed {
  std::string topic;
};
/// A whole message on a topic that this node subscribed to. `message` is what follows the topic frame; where it cannot
/// be read out of shared memory it is empty, and `problem` says why. While NodeOptions::receive_budget_bytes are in
/// events that somebody still has, no more is received: drop the event, or its `charge`, once it has been dealt with.
struct Delivered {
  std::string topic;
  Message message;
  std::string problem;
  std::shared_ptr<const void> charge;
};
/// The connection that `topic` is heard over broke and has been made anew. What was under way is lost; what came before
/// has been delivered.
struct ConnectionRenewed {
  std::string topic;
};
/// A subscriber sent `body` back on `topic`. What it sends back goes to every publisher that it hears, so the topic may
/// be one of theirs: who is told looks at it.
struct CameBack {
  std::string topic;
  OwnedBytes body;
};
/// A message was not sent, and never will be: nobody subscribes to its topic, its peer is unknown or does not keep up.
/// `topic` is empty for a control message, `peer` for a published one.
struct SendFailed {
  std::string topic;
  std::string peer;
  std::string reason;
  bool gone = false;  ///< the peer's connection has ended; it comes back under another name, if at all
};
/// The connection of a node's control socket to the endpoint that it connects to has ended: the process at the other
/// end has, or the way there. ZeroMQ connects again when it can, as a peer that the other end does not know.
struct ControlLost {};
/// The node's thread has ended; nothing else will come, and publish() throws. `reason` says why.
struct NodeFailed {
  std::string reason;
};

using Event = std::variant<ControlReceived, ControlComing, ControlLost, SubscriptionOpened, SubscriptionClosed,
                           Delivered, ConnectionRenewed, CameBack, SendFailed, NodeFailed>;
/// What becomes of a control message whose peer has too many unread ones: SendFailed, or nothing. A heartbeat is one of
/// many, and who is only stopped finds enough of them.
enum class WhenUnread { kFail, kDrop };

/// What a large message on the bus usually has: ZeroMQ's high-water marks count messages.
inline constexpr std::size_t kMessageBytes = std::size_t{2} << 20;

/// The longest body of send_back(). A publisher hangs up on a subscriber that sends more.
inline constexpr std::size_t kMaxBackBytes = std::size_t{1} << 20;

struct NodeOptions {
  Endpoint control;                 ///< bound (ROUTER) or connected to (DEALER)
  bool bind_control = false;        ///< true for the orchestrator
  std::optional<Endpoint> publish;  ///< bound (XPUB); none: this node publishes nothing
  /// Bytes that may wait to be published on all topics together, in the node and in ZeroMQ. A message that does not fit
  /// waits in publish(), which throws when `send_deadline` has passed.
  std::size_t publish_budget_bytes = std::size_t{1} << 30;
  std::chrono::milliseconds send_deadline{10'000};
  /// Bytes that may be in Delivered events which nobody has dealt with, and as many in ZeroMQ, which counts messages of
  /// kMessageBytes; the rest stays with the publishers. One message is received however large it is.
  std::size_t receive_budget_bytes = std::size_t{16} << 20;
  /// A publisher that announces a longer frame is hung up on before anything is allocated for it.
  std::size_t max_frame_bytes = std::size_t{1} << 32;
};

/// A process's place on the bus: a control socket, a publisher, a subscriber, and the one thread that owns the three
/// and sleeps in poll. Everything that happens is an Event, handed to `handler` on that thread: the handler only passes
/// it on (to an Asio loop, a queue) and must not block or throw. It may be called before the constructor has returned.
///
/// All members may be called from any thread. What is sent to one peer, or published on one topic, arrives in the order
/// of the calls.
class Node {
 public:
  using Handler = std::function<void(Event)>;

  /// Binds and connects before it returns. Throws Error, naming the endpoint, where that fails. An ipc socket's file is
  /// open to its own user alone, and gone when the node is. To connect needs no listener: that may come later.
  Node(NodeOptions options, Handler handler);
  /// Gives what is queued one second to leave, then closes the sockets and joins the thread.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Where the control socket is: the bound endpoint with its real port, or the one connected to.
  const Endpoint& control_endpoint() const;
  /// Where the publisher is bound, with its real port. Only for a node with NodeOptions::publish.
  const Endpoint& publish_endpoint() const;

  /// To `peer` as ControlReceived named it; the empty string on a node that connects. SendFailed where the peer is
  /// gone, leaves too many messages unread, or `body` is longer than kMaxControlBytes.
  void send_control(const std::string& peer, OwnedBytes body, WhenUnread when_unread = WhenUnread::kFail);
  /// From now on publish() waits that long instead of NodeOptions::send_deadline.
  void set_send_deadline(std::chrono::milliseconds deadline);
  /// Publishes `message` on `topic`, which ends in the terminator that bus/topic.hpp writes. Waits while the budget is
  /// full; throws Error{kRetry}, naming the topic, when `send_deadline` passes before there is room, and
  /// Error{kFixInput} for a message larger than the budget. SendFailed where nobody subscribes to the topic. The owners
  /// of the frames are let go on a thread of ZeroMQ's once the bytes have left.
  ///
  /// `seal`, where there is one, is called once on the node's thread, just before the message is handed to ZeroMQ, and
  /// may write to memory of the frames: for what reads the bytes, so that they are in the processor's cache when the
  /// kernel copies them. It must neither block nor throw. It is not called where the message is not sent.
  void publish(const std::string& topic, Message message, std::function<void()> seal = nullptr);
  /// From now on the frames of messages on `topics` go through shared memory where they fit, one copy for all of these
  /// topics; their subscribers said so too. Once in a node's life. Throws Error{kGiveUp} where memory is not to be had;
  /// everything then goes over the socket.
  void share_memory(const std::vector<std::string>& topics);
  /// At least `bytes` of that memory: frames that stand in it are published without a copy. Whoever holds the pointer
  /// may write; once a frame is published its bytes must stay as they are. The memory is free again when the pointer's
  /// last copy is gone and every receiver has let go. Null where there is no room, or less than a frame is worth: the
  /// caller takes other memory, whose frames are copied.
  std::shared_ptr<std::byte> take_shared_memory(std::size_t bytes);
  /// Connects to a publisher, once for each endpoint, and subscribes to a topic there. Throws Error{kFixInput} for an
  /// endpoint that only a bind can use. `shared_memory`: the publisher has called share_memory() for the topic.
  void subscribe(const Endpoint& publisher, const std::string& topic, bool shared_memory = false);
  void unsubscribe(const std::string& topic);
  /// To the publisher of `topic`, and to all others that this node subscribed at: CameBack there. Beyond order nothing
  /// is promised: what is under way when a connection breaks is lost, so nobody may depend on its coming. Throws
  /// Error{kFixInput} for a body longer than kMaxBackBytes.
  void send_back(const std::string& topic, OwnedBytes body);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvmesh::bus
