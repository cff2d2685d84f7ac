#pragma once

#include <memory>
#include <string_view>
#include <zmq.hpp>

#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// A ZeroMQ socket that is not waited in: its descriptor goes into one poll with others. zmq_poll() asks the kernel
/// about each of its sockets before it sleeps and after, which is eight calls for a socket where one call does for all;
/// docs/results.md says what that costs. One thread at a time.
///
/// ZeroMQ's descriptor tells only of what no call on the socket has noticed yet (zmq_getsockopt(3), ZMQ_FD), so it says
/// something only while is_empty().
class Socket {
 public:
  Socket() = default;  ///< closed: nothing ever comes in
  Socket(zmq::context_t& context, zmq::socket_type type);

  /// To set options, bind and connect.
  zmq::socket_t& zmq();
  /// Can be read when something has come in; -1 of a closed socket.
  int descriptor() const { return descriptor_; }
  /// Whether nothing was there when it was last looked at, and nothing can have been noticed by another call since.
  bool is_empty() const { return empty_; }

  /// A whole multipart message, without waiting; empty when there is none.
  Message receive();
  /// Without waiting. 0, or the errno of what went wrong. `more`: the message goes on with the next frame.
  int send(std::string_view text, bool more);
  /// The frame's bytes are shared: its owner and `keeps` are held until ZeroMQ lets go of them, which happens on a
  /// thread of ZeroMQ's.
  int send(Frame frame, std::shared_ptr<const void> keeps, bool more);

 private:
  int send(zmq::message_t& part, bool more);

  zmq::socket_t socket_;
  int descriptor_ = -1;
  bool empty_ = true;
};

}  // namespace kvmesh::bus::detail
