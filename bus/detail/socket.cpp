#include "bus/detail/socket.hpp"

#include <utility>

namespace kvmesh::bus::detail {
namespace {

struct Hold {
  Frame frame;
  std::shared_ptr<const void> keeps;
};

void let_go(void* /*bytes*/, void* hold) { delete static_cast<Hold*>(hold); }

/// As a frame that shares the message's bytes.
Frame to_frame(zmq::message_t message) {
  auto owner = std::make_shared<const zmq::message_t>(std::move(message));
  const std::span bytes(static_cast<const std::byte*>(owner->data()), owner->size());
  return Frame(std::move(owner), bytes);
}

}  // namespace

Socket::Socket(zmq::context_t& context, zmq::socket_type type)
    : socket_(context, type), descriptor_(socket_.get(zmq::sockopt::fd)), empty_(false) {}

zmq::socket_t& Socket::zmq() {
  empty_ = false;
  return socket_;
}

Message Socket::receive() {
  Message frames;
  bool more = true;
  while (more) {
    zmq::message_t part;
    if (!socket_.recv(part, zmq::recv_flags::dontwait)) {
      empty_ = true;
      return {};
    }
    more = part.more();
    frames.push_back(to_frame(std::move(part)));
  }
  empty_ = false;
  return frames;
}

int Socket::send(std::string_view text, bool more) {
  zmq::message_t part(text.data(), text.size());
  return send(part, more);
}

int Socket::send(Frame frame, std::shared_ptr<const void> keeps, bool more) {
  auto hold = std::make_unique<Hold>(Hold{std::move(frame), std::move(keeps)});
  // ZeroMQ takes a pointer to non-const and only reads from it.
  auto* bytes = const_cast<std::byte*>(hold->frame.data());
  zmq::message_t part(bytes, hold->frame.size(), &let_go, hold.get());
  hold.release();
  return send(part, more);
}

int Socket::send(zmq::message_t& part, bool more) {
  empty_ = false;
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  return zmq_msg_send(part.handle(), socket_.handle(), flags) >= 0 ? 0 : zmq_errno();
}

}  // namespace kvmesh::bus::detail
