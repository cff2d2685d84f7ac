#include "bench/transport/raw_zmq.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "bench/transport/arena_copy.hpp"
#include "kvcodec/wire/checksum.hpp"

namespace kvmesh::bench {
namespace {

constexpr char kTopic[] = "bench/a/b/kv;";
constexpr char kEnd[] = "bench/end;";
constexpr char kStop[] = "bench/stop;";

void keep(void*, void*) {}

void check(bool ok, const char* what) {
  if (!ok) throw Error(ErrorKind::kGiveUp, cat("raw ZeroMQ: ", what, ": ", zmq_strerror(zmq_errno())));
}

void set(void* socket, int option, int value) {
  check(zmq_setsockopt(socket, option, &value, sizeof value) == 0, "setsockopt");
}

}  // namespace

RawStream::RawStream(const std::string& endpoint, int receivers, bool checks)
    : checks_(checks), payload_(arena_bytes(), std::byte{7}), context_(zmq_ctx_new()), publisher_(nullptr) {
  publisher_ = zmq_socket(context_, ZMQ_XPUB);
  check(publisher_ != nullptr, "socket");
  set(publisher_, ZMQ_SNDHWM, 0);
  set(publisher_, ZMQ_LINGER, 0);
  set(publisher_, ZMQ_XPUB_VERBOSE, 1);
  check(zmq_bind(publisher_, endpoint.c_str()) == 0, "bind");
  for (int i = 0; i < receivers; ++i) threads_.emplace_back([this, endpoint] { receive(endpoint); });
  for (int i = 0; i < receivers; ++i) {
    char report[64];
    check(zmq_recv(publisher_, report, sizeof report, 0) > 0, "a subscription");
  }
  run(payload_.size(), std::size_t{1} << 20);
}

RawStream::~RawStream() {
  zmq_send(publisher_, kStop, sizeof kStop - 1, 0);
  for (std::thread& thread : threads_) thread.join();
  zmq_close(publisher_);
  zmq_ctx_term(context_);
}

void RawStream::receive(const std::string& endpoint) {
  void* context = zmq_ctx_new();
  void* socket = zmq_socket(context, ZMQ_SUB);
  int mark = 64;
  zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark);
  zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "bench/", 6);
  zmq_connect(socket, endpoint.c_str());
  for (bool going = true; going;) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, socket, 0) < 0) break;
    const std::string_view text(static_cast<const char*>(zmq_msg_data(&part)),
                                std::min<std::size_t>(zmq_msg_size(&part), 32));
    if (text == kStop) going = false;
    if (text == kEnd) {
      const std::lock_guard lock(mutex_);
      ++finished_;
      changed_.notify_one();
    }
    check_frame(zmq_msg_data(&part), zmq_msg_size(&part));
    zmq_msg_close(&part);
  }
  zmq_close(socket);
  zmq_ctx_term(context);
}

void RawStream::check_frame(const void* bytes, std::size_t size) {
  if (!checks_) return;
  const OwnedBytes frame(nullptr, {static_cast<const std::byte*>(bytes), size});
  checksums_ += wire::payload_checksum({&frame, 1});
}

double RawStream::run(std::size_t bytes, std::size_t frame) {
  finished_ = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < bytes; done += frame) {
    if (at_ + frame > payload_.size()) at_ = 0;
    zmq_send(publisher_, kTopic, sizeof kTopic - 1, ZMQ_SNDMORE);
    check_frame(payload_.data() + at_, frame);
    zmq_msg_t part;
    zmq_msg_init_data(&part, payload_.data() + at_, frame, &keep, nullptr);
    check(zmq_msg_send(&part, publisher_, 0) >= 0, "send");
    at_ += frame;
  }
  zmq_send(publisher_, kEnd, sizeof kEnd - 1, 0);
  std::unique_lock lock(mutex_);
  const int receivers = static_cast<int>(threads_.size());
  if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return finished_ == receivers; }))
    throw Error(ErrorKind::kRetry, "raw ZeroMQ: messages did not arrive within 60 s");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / took.count();
}

}  // namespace kvmesh::bench
