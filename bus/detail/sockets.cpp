#include "bus/detail/sockets.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "bus/control.hpp"
#include "bus/topic.hpp"

namespace kvmesh::bus::detail {
namespace {

constexpr std::chrono::milliseconds kLinger{1'000};
/// Names are short; this only bounds what a stranger can make a publisher allocate.
constexpr std::size_t kMaxTopicBytes = 4'096;
/// Messages taken from one socket before the next one and the commands have their turn.
constexpr int kRound = 64;

/// The kernel's own signs of life on tcp: what stands between two hosts does not forget an idle connection, and a host
/// that is gone is noticed. Not ZeroMQ's heartbeats, which a stopped process would miss: that it may come back is not
/// the bus's to decide.
constexpr int kKeepAliveIdleSeconds = 30, kKeepAliveIntervalSeconds = 10, kKeepAliveCount = 6;

Socket make_socket(zmq::context_t& context, zmq::socket_type type) {
  Socket socket(context, type);
  socket.zmq().set(zmq::sockopt::tcp_keepalive, 1);
  socket.zmq().set(zmq::sockopt::tcp_keepalive_idle, kKeepAliveIdleSeconds);
  socket.zmq().set(zmq::sockopt::tcp_keepalive_intvl, kKeepAliveIntervalSeconds);
  socket.zmq().set(zmq::sockopt::tcp_keepalive_cnt, kKeepAliveCount);
  socket.zmq().set(zmq::sockopt::linger, static_cast<int>(kLinger.count()));
  return socket;
}

Socket make_control(zmq::context_t& context, bool binds) {
  auto socket = make_socket(context, binds ? zmq::socket_type::router : zmq::socket_type::dealer);
  socket.zmq().set(zmq::sockopt::sndhwm, Sockets::kControlHighWater);
  socket.zmq().set(zmq::sockopt::rcvhwm, Sockets::kControlHighWater);
  socket.zmq().set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kControlPieceBytes));
  if (binds) socket.zmq().set(zmq::sockopt::router_mandatory, true);
  return socket;
}

Socket make_publisher(zmq::context_t& context) {
  auto socket = make_socket(context, zmq::socket_type::xpub);
  socket.zmq().set(zmq::sockopt::sndhwm, 0);
  socket.zmq().set(zmq::sockopt::xpub_verbose, true);
  socket.zmq().set(zmq::sockopt::xpub_nodrop, true);
  socket.zmq().set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxBackBytes + kMaxTopicBytes));
  return socket;
}

Socket make_subscriber(zmq::context_t& context, const NodeOptions& options) {
  // Not SUB, which cannot send anything back.
  auto socket = make_socket(context, zmq::socket_type::xsub);
  socket.zmq().set(zmq::sockopt::rcvhwm,
                   static_cast<int>(std::max<std::size_t>(1, options.receive_budget_bytes / kMessageBytes)));
  socket.zmq().set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(options.max_frame_bytes));
  return socket;
}

bool is_ipv6(const Endpoint& endpoint) {
  return endpoint.scheme() == Endpoint::Scheme::kTcp && endpoint.host().front() == '[';
}

[[noreturn]] void fail_attach(const char* verb, const Endpoint& endpoint) {
  const char* hint = ".";
  if (zmq_errno() == ENODEV) hint = ": a bind takes a numeric address, the name of a network interface, or *.";
  if (zmq_errno() == ENOENT) hint = ": make the folder first.";
  if (zmq_errno() == EADDRINUSE) hint = ": stop what listens there or choose another port.";
  fail_input("cannot ", verb, " ", endpoint.string(), ": ", zmq_strerror(zmq_errno()), hint);
}

/// Binds and returns the endpoint with the port that was really taken; an ipc socket's `file` is then ours to remove.
Endpoint bind(zmq::socket_t& socket, const Endpoint& endpoint, std::optional<SocketFile>& file) {
  if (is_ipv6(endpoint)) socket.set(zmq::sockopt::ipv6, true);
  const bool ipc = endpoint.scheme() == Endpoint::Scheme::kIpc;
  std::optional<PrivateUmask> mask;
  if (ipc) {
    check_socket_path_is_free(endpoint.path());
    mask.emplace();
  }
  if (zmq_bind(socket.handle(), endpoint.string().c_str()) != 0) fail_attach("bind", endpoint);
  if (ipc) file.emplace(endpoint.path());
  return Endpoint::parse(socket.get(zmq::sockopt::last_endpoint));
}

void connect(zmq::socket_t& socket, const Endpoint& endpoint) {
  if (is_ipv6(endpoint)) socket.set(zmq::sockopt::ipv6, true);
  if (zmq_connect(socket.handle(), endpoint.string().c_str()) != 0) fail_attach("connect to", endpoint);
}

}  // namespace

Sockets::Sockets(const NodeOptions& options, const Node::Handler& handler, std::function<void()> wake)
    : handler_(handler),
      receive_budget_(options.receive_budget_bytes),
      received_(std::make_shared<Outstanding>(std::move(wake))),
      binds_control_(options.bind_control),
      control_(make_control(context_, options.bind_control)),
      subscriber_(make_subscriber(context_, options)),
      reconnections_(context_, subscriber_.zmq()),
      control_endpoint_(options.control) {
  if (binds_control_) {
    control_endpoint_ = bind(control_.zmq(), options.control, control_file_);
  } else {
    control_watch_.emplace(context_, control_.zmq());
    connect(control_.zmq(), options.control);
  }
  if (options.publish) {
    publisher_ = make_publisher(context_);
    local_connections_.emplace(context_, publisher_.zmq());
    publish_endpoint_ = bind(publisher_.zmq(), *options.publish, publish_file_);
  }
}

bool Sockets::receive(int wake_descriptor, std::chrono::milliseconds timeout) {
  if (!control_.is_empty()) receive_control();
  if (!publisher_.is_empty()) receive_from_subscribers();
  if (!subscriber_.is_empty()) receive_published();
  // Without room for what comes in, its socket is not looked at until there is.
  const bool room = received_->bytes() < receive_budget_ || !received_->wake_at(receive_budget_ / 2);
  const bool sleeps = control_.is_empty() && publisher_.is_empty() && (subscriber_.is_empty() || !room);
  std::array<pollfd, 7> items{
      {{.fd = wake_descriptor, .events = POLLIN, .revents = 0},
       {.fd = control_.descriptor(), .events = POLLIN, .revents = 0},
       {.fd = publisher_.descriptor(), .events = POLLIN, .revents = 0},
       {.fd = room ? subscriber_.descriptor() : -1, .events = POLLIN, .revents = 0},
       {.fd = local_connections_ ? local_connections_->descriptor() : -1, .events = POLLIN, .revents = 0},
       {.fd = reconnections_.descriptor(), .events = POLLIN, .revents = 0},
       {.fd = control_watch_ ? control_watch_->descriptor() : -1, .events = POLLIN, .revents = 0}}};
  if (::poll(items.data(), items.size(), sleeps ? static_cast<int>(timeout.count()) : 0) < 0) {
    if (errno != EINTR) throw Error(ErrorKind::kGiveUp, cat("cannot wait for messages: ", std::strerror(errno)));
    return false;
  }
  if (items[4].revents != 0) local_connections_->set_up();
  if (items[1].revents != 0) receive_control();
  // What came before the end is said before it.
  if (items[6].revents != 0 && control_watch_->has_ended()) {
    receive_control();
    handler_(ControlLost{});
  }
  if (items[2].revents != 0) receive_from_subscribers();
  if (items[5].revents != 0) note_renewed_connections();
  if (items[3].revents != 0 || !renewed_.empty()) receive_published();
  if (!renewed_.empty() && subscriber_.is_empty()) {  // nothing of before is left
    for (const std::string& topic : std::exchange(renewed_, {})) handler_(ConnectionRenewed{topic});
  }
  return items[0].revents != 0;
}

void Sockets::receive_control() {
  for (int i = 0; i < kRound; ++i) {
    Message frames = control_.receive();
    if (frames.empty()) return;
    ControlReceived event;
    std::size_t body_at = 0;
    if (binds_control_) {
      event.peer = frames.front().text();
      body_at = 1;
    }
    frames.erase(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(body_at));
    receive_body(std::move(event), std::move(frames));
  }
}

void Sockets::receive_body(ControlReceived event, Message frames) {
  if (frames.size() == 1) {
    event.body = std::move(frames.front());
    return handler_(std::move(event));
  }
  try {
    auto body = control_pieces_.add(event.peer, frames);
    if (!body) return handler_(ControlComing{std::move(event.peer)});
    event.body = *std::move(body);
  } catch (const Error&) {
    // What is no control message is handed on without a body, which does not decode, so that the one who knows the peer
    // turns it away.
  }
  handler_(std::move(event));
}

// XPUB reports each subscribe (that is XPUB_VERBOSE), and an unsubscribe only when the last subscriber is gone, also
// when it went by dying. So a set is enough, and counting would be wrong: one that subscribes twice leaves once.
//
// What a subscriber sends back comes in the same way: one frame, a topic and the rest.
void Sockets::receive_from_subscribers() {
  for (int i = 0; i < kRound; ++i) {
    const Message frames = publisher_.receive();
    if (frames.empty()) return;
    const std::string_view report = frames.front().text();
    if (report.empty()) continue;
    if (report.front() != 0 && report.front() != 1) {
      receive_back(frames.front());
      continue;
    }
    std::string topic(report.substr(1));
    if (report.front() == 1) {
      subscribers_to_.insert(topic);
      handler_(SubscriptionOpened{std::move(topic)});
    } else {
      subscribers_to_.erase(topic);
      handler_(SubscriptionClosed{std::move(topic)});
    }
  }
}

void Sockets::receive_back(const Frame& frame) {
  const std::size_t end = frame.text().find(kTopicEnd);
  if (end == std::string_view::npos) return;
  handler_(CameBack{std::string(frame.text().substr(0, end + 1)), frame.part(end + 1, frame.size() - end - 1)});
}

void Sockets::receive_published() {
  for (int i = 0; i < kRound && received_->bytes() < receive_budget_; ++i) {
    Message frames = subscriber_.receive();
    if (frames.empty()) return;
    std::string topic(frames.front().text());
    // ZeroMQ matches by prefix; what we did not ask for by its whole name is another edge's.
    if (!subscribed_to_.contains(topic)) continue;
    frames.erase(frames.begin());
    Delivered delivered{.topic = std::move(topic), .message = {}, .problem = {}, .charge = {}};
    delivered.charge = received_->take(total_size(frames));
    try {
      delivered.message = shared_.contains(delivered.topic) ? views_.open(std::move(frames)) : std::move(frames);
    } catch (const Error& error) {
      delivered.problem = error.what();
    }
    handler_(std::move(delivered));
  }
}

/// An endpoint that was given with a host's name is reported with its address: then every topic may be the one.
void Sockets::note_renewed_connections() {
  for (const std::string& endpoint : reconnections_.take()) {
    const auto at = topics_at_.find(endpoint);
    if (at != topics_at_.end()) renewed_.insert(at->second.begin(), at->second.end());
    else renewed_.insert(subscribed_to_.begin(), subscribed_to_.end());
  }
}

void Sockets::send_control(const std::string& peer, OwnedBytes body, WhenUnread when_unread) {
  if (body.size() > kMaxControlBytes) {
    handler_(
        SendFailed{{}, peer, cat("a control message of ", body.size(), " bytes is longer than ", kMaxControlBytes)});
    return;
  }
  int failure = 0;
  for (std::size_t piece = 0, pieces = control_pieces(body.size()); piece < pieces && failure == 0; ++piece) {
    Message frames = pieces == 1 ? Message{body} : control_piece(body, piece);
    if (binds_control_) failure = control_.send(peer, /*more=*/true);
    for (std::size_t i = 0; i < frames.size() && failure == 0; ++i)
      failure = control_.send(std::move(frames[i]), nullptr, /*more=*/i + 1 < frames.size());
  }
  if (failure == 0) return;
  if (failure == EHOSTUNREACH) {
    handler_(SendFailed{{}, peer, "the peer is not connected", /*gone=*/true});
  } else if (failure == EAGAIN) {
    if (when_unread == WhenUnread::kFail)
      handler_(SendFailed{{}, peer, cat("the peer has left ", kControlHighWater, " control messages unread")});
  } else {
    throw Error(ErrorKind::kGiveUp, cat("cannot send a control message: ", zmq_strerror(failure)));
  }
}

bool Sockets::has_subscriber(const std::string& topic) {
  // What has come in but was not looked at yet may make one; that it may end one is no news worth a look each time.
  if (!subscribers_to_.contains(topic)) receive_from_subscribers();
  return subscribers_to_.contains(topic);
}

void Sockets::publish(const std::string& topic, Message message, std::shared_ptr<const void> keeps) {
  int failure = publisher_.send(topic, /*more=*/!message.empty());
  for (std::size_t i = 0; i < message.size() && failure == 0; ++i)
    failure = publisher_.send(std::move(message[i]), keeps, /*more=*/i + 1 < message.size());
  // Without a high-water mark nothing is left that a later try could mend, and half a message cannot be taken back.
  if (failure != 0) {
    throw Error(ErrorKind::kGiveUp, cat("cannot publish on \"", topic, "\": ", zmq_strerror(failure)));
  }
}

void Sockets::subscribe(const Endpoint& publisher, const std::string& topic, bool shared_memory) {
  if (shared_memory) shared_.insert(topic);
  if (subscribed_to_.insert(topic).second) send_upstream('\1', topic);
  const auto [at, is_new] = topics_at_.try_emplace(publisher.string());
  at->second.insert(topic);
  if (is_new) connect(subscriber_.zmq(), publisher);
}

void Sockets::unsubscribe(const std::string& topic) {
  if (subscribed_to_.erase(topic) > 0) send_upstream('\0', topic);
}

void Sockets::send_back(const std::string& topic, const OwnedBytes& body) { send_upstream({}, topic, body.text()); }

/// As one frame: XPUB looks at the first byte of each for a subscription (1) or its end (0).
void Sockets::send_upstream(std::optional<char> kind, std::string_view topic, std::string_view rest) {
  std::string text;
  if (kind) text += *kind;
  text.append(topic).append(rest);
  if (const int failure = subscriber_.send(text, /*more=*/false); failure != 0)
    throw Error(ErrorKind::kGiveUp, cat("cannot send to the publisher of \"", topic, "\": ", zmq_strerror(failure)));
}

}  // namespace kvmesh::bus::detail
