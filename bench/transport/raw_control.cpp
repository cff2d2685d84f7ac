#include "bench/transport/raw_control.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <cstdint>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bench {

RawControl::RawControl(const std::string& endpoint, bool binds, Handler handler)
    : handler_(std::move(handler)),
      context_(zmq_ctx_new()),
      socket_(zmq_socket(context_, binds ? ZMQ_ROUTER : ZMQ_DEALER)),
      descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const int attached = binds ? zmq_bind(socket_, endpoint.c_str()) : zmq_connect(socket_, endpoint.c_str());
  if (attached != 0) throw Error(ErrorKind::kGiveUp, cat("raw ZeroMQ at ", endpoint, ": ", zmq_strerror(zmq_errno())));
  thread_ = std::thread([this] { run(); });
}

RawControl::~RawControl() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  const int linger = 1000;
  zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
  zmq_close(socket_);
  zmq_ctx_term(context_);
  ::close(descriptor_);
}

void RawControl::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

void RawControl::send(Parts parts) {
  {
    const std::lock_guard lock(mutex_);
    to_send_.push_back(std::move(parts));
  }
  wake();
}

void RawControl::run() {
  zmq_pollitem_t items[] = {{nullptr, descriptor_, ZMQ_POLLIN, 0}, {socket_, 0, ZMQ_POLLIN, 0}};
  for (;;) {
    zmq_poll(items, 2, -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof count);
    std::vector<Parts> outgoing;
    {
      const std::lock_guard lock(mutex_);
      outgoing.swap(to_send_);
      if (stop_ && outgoing.empty()) return;
    }
    for (const Parts& parts : outgoing)
      for (std::size_t i = 0; i < parts.size(); ++i)
        zmq_send(socket_, parts[i].data(), parts[i].size(), i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    for (;;) {
      Parts parts;
      int more = 1;
      while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket_, ZMQ_DONTWAIT) < 0) break;
        parts.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
      }
      if (parts.empty()) break;
      handler_(std::move(parts));
    }
  }
}

}  // namespace kvmesh::bench
