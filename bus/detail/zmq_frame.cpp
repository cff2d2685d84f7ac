#include "bus/detail/zmq_frame.hpp"

#include <utility>

namespace kvmesh::bus::detail {
namespace {

struct Hold {
  Frame frame;
  std::shared_ptr<const void> keeps;
};

void let_go(void* /*bytes*/, void* hold) { delete static_cast<Hold*>(hold); }

}  // namespace

zmq::message_t to_zmq(Frame frame, std::shared_ptr<const void> keeps) {
  auto hold = std::make_unique<Hold>(Hold{std::move(frame), std::move(keeps)});
  // ZeroMQ takes a pointer to non-const and only reads from it.
  auto* bytes = const_cast<std::byte*>(hold->frame.data());
  zmq::message_t message(bytes, hold->frame.size(), &let_go, hold.get());
  hold.release();
  return message;
}

Frame from_zmq(zmq::message_t message) {
  auto owner = std::make_shared<const zmq::message_t>(std::move(message));
  const std::span bytes(static_cast<const std::byte*>(owner->data()), owner->size());
  return Frame(std::move(owner), bytes);
}

Message receive_now(zmq::socket_ref socket) {
  Message frames;
  bool more = true;
  while (more) {
    zmq::message_t part;
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return {};
    more = part.more();
    frames.push_back(from_zmq(std::move(part)));
  }
  return frames;
}

int send_now(zmq::socket_ref socket, zmq::message_t& message, bool more) {
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  return zmq_msg_send(message.handle(), socket.handle(), flags) >= 0 ? 0 : zmq_errno();
}

}  // namespace kvmesh::bus::detail
