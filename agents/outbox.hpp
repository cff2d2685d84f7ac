#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agents/media/kv_sender.hpp"
#include "agents/reuse/kv_reuse.hpp"
#include "agents/reuse/sent_kv.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/wire/reuse.hpp"
#include "llm/cache/device_copies.hpp"
#include "llm/cache/kv_cache.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// What one turn sends: makes the messages of each outbound edge, hands them to `publish` and counts them. Used from
/// the thread that takes the turn.
class Outbox {
 public:
  /// As TurnHooks::publish.
  using Publish = std::function<void(std::size_t edge, wire::UnsealedMessage message)>;

  /// All arguments outlive this.
  Outbox(const llm::Model& model, const Wiring& wiring, const bus::Task& task, const Publish& publish,
         const KvReuse& reuse);

  /// Offers the blocks of our prompt to the receivers of kv edges, which may hold them: to be called before the prompt
  /// is read, so that the answers come meanwhile. Empty where our rows depend on more than these tokens.
  void offer(std::span<const std::int64_t> prompt);
  /// Decides what leaves on each kv edge that shares `share`, of a cache to which our own tokens add `own_rows` in all.
  /// The cache outlives the sending.
  void plan_kv(wire::Share share, const llm::KvCache& cache, std::int64_t own_rows);
  /// What has come to stand in a layer since the last call, on every kv edge that was planned for `share`. Rows that go
  /// to several receivers are packed once. Rows on a device begin their way to the host, beside what it computes, and
  /// leave with the next call.
  void send_layer(int layer, const llm::LayerCache& cache, wire::Share share);
  /// Sends what is still on its way from a device. Called after the last layer.
  void finish_layers();
  /// The one message of a text edge, or of one that carries a tensor called `name`.
  void send_text(std::size_t edge, std::string text);
  void send_tensor(std::size_t edge, const at::Tensor& tensor, const char* name);

  /// What each edge has carried.
  std::vector<bus::EdgeReport> reports() const;

 private:
  struct Edge {
    std::optional<KvSender::Plan> plan;  ///< of what is to be sent next
    bool offers = false;                 ///< the receiver keeps blocks, and may ask for a message again
    std::int64_t offered = 0;            ///< blocks
    std::optional<KvSender> kv;          ///< from its first layer on
    std::uint32_t sent = 0;
    std::uint64_t bytes = 0;
  };

  /// Rows that are about to leave on an edge.
  struct Departing {
    std::size_t edge = 0;
    KvSender::Piece piece;
    kvcodec::LayerKv rows;
  };

  KvSender make_sender(std::size_t edge);
  kvcodec::LayerKv on_host(const kvcodec::LayerKv& rows);
  kvcodec::PackedRows pack(const Departing& departing) const;
  wire::Envelope envelope_for(std::size_t edge, std::uint32_t count) const;
  void send_rows(const Departing& departing, const kvcodec::PackedRows& packed, const wire::Envelope& envelope);
  void send_reference(const Departing& departing, wire::Envelope envelope);
  void send(std::size_t edge, wire::UnsealedMessage message);

  const Wiring& wiring_;
  const bus::Task& task_;
  const Publish& publish_;
  const KvReuse& reuse_;
  std::string manifest_;                 ///< hash of our model's
  std::string seed_;                     ///< of our blocks' names
  std::size_t element_bytes_;            ///< of a number in our cache
  const llm::KvCache* cache_ = nullptr;  ///< that was planned for
  std::vector<Edge> edges_;
  std::optional<llm::DeviceCopies> copies_;  ///< where the model is on a device
  std::vector<Departing> departing_;
};

}  // namespace kvmesh::agents
