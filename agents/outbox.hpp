#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/llm/kv_cache.hpp"
#include "agents/llm/model.hpp"
#include "agents/media/kv.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// What one turn sends: makes the messages of each outbound edge, hands them to `publish` and counts them. Used from
/// the thread that takes the turn.
class Outbox {
 public:
  /// As TurnHooks::publish.
  using Publish = std::function<void(std::size_t edge, std::vector<OwnedBytes> frames)>;

  /// All arguments outlive this.
  Outbox(const llm::Model& model, const Wiring& wiring, const bus::Task& task, const Publish& publish);

  /// The rows of one layer, on every kv edge that shares `share`.
  void send_layer(int layer, const llm::LayerCache& cache, wire::Share share);
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

  wire::Envelope envelope_for(std::size_t edge, std::uint32_t count) const;
  void send(std::size_t edge, std::vector<OwnedBytes> frames);

  const Wiring& wiring_;
  const bus::Task& task_;
  const Publish& publish_;
  std::string manifest_;  ///< hash of our model's
  std::vector<Edge> edges_;
};

}  // namespace kvmesh::agents
