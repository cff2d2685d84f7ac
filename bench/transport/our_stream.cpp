#include "bench/transport/our_stream.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "agents/media/kv_sender.hpp"
#include "agents/publish.hpp"
#include "base/error.hpp"
#include "bench/transport/arena_copy.hpp"
#include "bus/topic.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"

namespace kvmesh::bench {
namespace {

constexpr std::int64_t kHeads = 8, kHeadDim = 128;            // Llama-3.1-8B's
constexpr std::size_t kRowBytes = 2 * kHeads * kHeadDim * 2;  // keys and values, bf16
constexpr std::int64_t kPieceRows =
    std::min<std::int64_t>(agents::KvSender::kPieceRows, agents::KvSender::kPieceBytes / (kHeads * kHeadDim * 2));
constexpr std::array<std::int64_t, 3> kPieceShape{kPieceRows, kHeads, kHeadDim};
constexpr auto kPatience = std::chrono::seconds(60);

std::size_t pieces() { return arena_bytes() / (kPieceRows * kRowBytes); }

/// `count` rows of the pieces, where the last ones ended; `next` counts rows.
kvcodec::LayerKv next_rows(const std::vector<kvcodec::LayerKv>& pieces, std::int64_t count, std::int64_t& next) {
  if (next % kPieceRows + count > kPieceRows) next += kPieceRows - next % kPieceRows;
  const kvcodec::LayerKv& piece = pieces[static_cast<std::size_t>(next / kPieceRows) % pieces.size()];
  const std::int64_t first = next % kPieceRows;
  next += count;
  return {piece.keys.narrow(0, first, count), piece.values.narrow(0, first, count), {}};
}

bus::Endpoint endpoint(const std::string& transport, const Scratch& scratch, const std::string& name) {
  return transport == "tcp" ? bus::Endpoint::tcp("127.0.0.1", "*") : bus::Endpoint::ipc(cat(scratch.path(), '/', name));
}

}  // namespace

OurStream::OurStream(const std::string& transport, const Scratch& scratch, int receivers) {
  publisher_ = std::make_unique<bus::Node>(bus::NodeOptions{.control = endpoint(transport, scratch, "control"),
                                                            .bind_control = true,
                                                            .publish = endpoint(transport, scratch, "publish"),
                                                            .publish_budget_bytes = std::size_t{1} << 30},
                                           [this](bus::Event event) {
                                             const std::lock_guard lock(mutex_);
                                             if (std::holds_alternative<bus::SubscriptionOpened>(event)) ++subscribed_;
                                             if (const auto* failed = std::get_if<bus::SendFailed>(&event))
                                               failure_ = failed->reason;
                                             changed_.notify_all();
                                           });
  for (int i = 0; i < receivers; ++i) {
    Receiver& receiver = *receivers_.emplace_back(std::make_unique<Receiver>());
    topics_.push_back(bus::edge_topic("bench", "sender", cat("receiver", i), "kv"));
    receiver.node =
        std::make_unique<bus::Node>(bus::NodeOptions{.control = publisher_->control_endpoint()},
                                    [this, &receiver](bus::Event event) { on_event(receiver, std::move(event)); });
    receiver.node->subscribe(publisher_->publish_endpoint(), topics_.back(), /*shared_memory=*/transport == "shm");
    if (transport == "shm")
      for (std::size_t piece = 0; piece < pieces(); ++piece)
        receiver.cache.push_back({at::zeros(kPieceShape, at::kBFloat16), at::zeros(kPieceShape, at::kBFloat16), {}});
    receiver.thread = std::thread([this, &receiver] { consume(receiver); });
  }
  if (transport == "shm") publisher_->share_memory(topics_);
  fill_source();
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [&] { return subscribed_ >= receivers; }))
    throw Error(ErrorKind::kRetry, "a receiver did not subscribe");
  lock.unlock();
  run(arena_bytes(), arena_bytes());
}

/// A sender's cache as agents have it: in shared memory where the node has some.
void OurStream::fill_source() {
  const at::Tensor rows = at::randn(kPieceShape).to(at::kBFloat16);
  const auto filled = [&] {
    const std::shared_ptr<std::byte> place = publisher_->take_shared_memory(rows.nbytes());
    if (!place) return rows.clone();
    return at::from_blob(
               place.get(), rows.sizes(), [place](void*) {}, rows.options())
        .copy_(rows);
  };
  for (std::size_t i = 0; i < pieces(); ++i) layers_.push_back({filled(), filled(), {}});
}

OurStream::~OurStream() {
  for (const auto& receiver : receivers_) {
    {
      const std::lock_guard lock(receiver->mutex);
      receiver->stop = true;
      receiver->changed.notify_all();
    }
    receiver->thread.join();
    receiver->node.reset();
  }
}

void OurStream::on_event(Receiver& receiver, bus::Event event) {
  if (auto* delivered = std::get_if<bus::Delivered>(&event)) {
    {
      const std::lock_guard lock(receiver.mutex);
      receiver.queue.push_back(std::move(*delivered));
    }
    receiver.changed.notify_one();
  }
}

void OurStream::consume(Receiver& receiver) {
  for (;;) {
    bus::Delivered delivered;
    {
      std::unique_lock lock(receiver.mutex);
      receiver.changed.wait(lock, [&] { return receiver.stop || !receiver.queue.empty(); });
      if (receiver.queue.empty()) return;
      delivered = std::move(receiver.queue.front());
      receiver.queue.pop_front();
    }
    bool last = false;
    std::string failure;
    try {
      const wire::WireMessage message = wire::read_message(delivered.message);
      last = message.envelope.request == "last";
      if (receiver.cache.empty()) {
        wire::check_payload(message);
      } else {
        const std::int64_t rows = message.envelope.positions.front().count;
        const kvcodec::LayerKv place = next_rows(receiver.cache, rows, receiver.next);
        kvcodec::check_and_decode_layer_into(message, place.keys, place.values);
      }
    } catch (const Error& error) {
      failure = error.what();
    }
    if (!last && failure.empty()) continue;
    const std::lock_guard lock(mutex_);
    finished_ += last;
    if (!failure.empty()) failure_ = failure;
    changed_.notify_all();
  }
}

void OurStream::send_layer(std::size_t layer_bytes, bool last_of_run) {
  const auto rows = static_cast<std::int64_t>(layer_bytes / kRowBytes);
  wire::Envelope envelope;
  envelope.mesh = "bench";
  envelope.from = "sender";
  envelope.count = static_cast<std::uint32_t>((rows + kPieceRows - 1) / kPieceRows);
  envelope.context_end = rows;
  for (std::int64_t begin = 0; begin < rows; begin += kPieceRows, ++envelope.sequence) {
    const std::int64_t count = std::min(kPieceRows, rows - begin);
    envelope.request = last_of_run && begin + count == rows ? "last" : "more";
    envelope.layer = 0;
    kvcodec::LayerKv source = next_rows(layers_, count, next_);
    source.positions = {{.first = begin, .count = count}};
    const kvcodec::PackedRows packed = kvcodec::pack_rows(source, wire::WireDtype::kSame);
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      envelope.to = cat("receiver", i);
      agents::publish(*publisher_, topics_[i], kvcodec::address_rows(packed, envelope));
    }
  }
}

double OurStream::run(std::size_t bytes, std::size_t layer_bytes) {
  {
    const std::lock_guard lock(mutex_);
    finished_ = 0;
  }
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < bytes; done += layer_bytes) send_layer(layer_bytes, done + layer_bytes >= bytes);
  std::unique_lock lock(mutex_);
  const auto ended = [&] { return !failure_.empty() || finished_ == static_cast<int>(receivers_.size()); };
  if (!changed_.wait_for(lock, kPatience, ended)) throw Error(ErrorKind::kRetry, "messages did not arrive within 60 s");
  if (!failure_.empty()) throw Error(ErrorKind::kGiveUp, failure_);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / took.count();
}

}  // namespace kvmesh::bench
