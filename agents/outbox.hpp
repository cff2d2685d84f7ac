#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/llm/device_copies.hpp"
#include "agents/llm/kv_cache.hpp"
#include "agents/llm/model.hpp"
#include "agents/media/kv.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"
#include "kvcodec/encode.hpp"

namespace kvmesh::agents {

/// What one turn sends: makes the messages of each outbound edge, hands them to `publish` and counts them. Used from
/// the thread that takes the turn.
class Outbox {
 public:
  /// As TurnHooks::publish.
  using Publish = std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)>;

  /// All arguments outlive this.
  Outbox(const llm::Model& model, const Wiring& wiring, const bus::Task& task, const Publish& publish);

  /// Decides what leaves on each kv edge that shares `share`, of a cache to which our own tokens add `own_rows` in all.
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
    std::optional<KvSender> kv;
    std::uint32_t sent = 0;
    std::uint64_t bytes = 0;
  };

  /// Rows that are about to leave on an edge.
  struct Departing {
    std::size_t edge = 0;
    KvSender::Piece piece;
    kvcodec::LayerKv rows;
  };

  kvcodec::LayerKv on_host(const kvcodec::LayerKv& rows);
  kvcodec::PackedRows pack(const Departing& departing) const;
  wire::Envelope envelope_for(std::size_t edge, std::uint32_t count) const;
  void send(std::size_t edge, std::vector<OwnedBytes> frames);

  const Wiring& wiring_;
  const bus::Task& task_;
  const Publish& publish_;
  std::string manifest_;  ///< hash of our model's
  std::vector<Edge> edges_;
  std::optional<llm::DeviceCopies> copies_;  ///< where the model is on a device
  std::vector<Departing> departing_;
};

}  // namespace kvmesh::agents
