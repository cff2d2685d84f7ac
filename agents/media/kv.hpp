#pragma once

#include <string>
#include <vector>

#include "agents/llm/model.hpp"
#include "agents/wiring.hpp"
#include "kvcodec/layer_map.hpp"
#include "kvcodec/snapshot.hpp"

namespace kvmesh::agents {

/// The sender's end of a kv edge for one request: which rows of which layer leave. Decides at construction, from the
/// edge's layer choice, the scores and the record, so that the number of messages is known before the first leaves.
class KvSender {
 public:
  /// `calibrate`: share every layer whatever the edge says.
  KvSender(const OutboundEdge& edge, int sender_layers, std::uint64_t record_index, bool calibrate);

  /// One layer of the receiver and what it gets.
  struct LayerMessage {
    int receiver_layer = 0;
    kvcodec::LayerKv rows;           ///< views of the cache, except in a chain, where sink and own rows are joined
    std::int64_t context_start = 0;  ///< position of the first row that is not only a sink
    std::int64_t context_end = 0;
  };

  std::uint32_t message_count() const { return message_count_; }
  /// What `cache`, the sender's layer `sender_layer`, gives to the receiver, once its rows are complete.
  std::vector<LayerMessage> messages_of(int sender_layer, const llm::LayerCache& cache) const;
  /// "2 of 8 + layer 0".
  const std::string& description() const { return description_; }

 private:
  struct Outgoing {
    int receiver_layer = 0;
    bool whole = false;  ///< all rows; otherwise the sink alone
  };
  bool forward_;
  bool carries_sink_;
  std::uint32_t message_count_ = 0;
  std::string description_;
  std::vector<std::vector<Outgoing>> by_sender_layer_;
};

/// What came over one kv edge.
struct KvArrival {
  const InboundEdge* edge = nullptr;
  const std::vector<wire::WireMessage>* messages = nullptr;
};

/// The receiver's end: puts what came over the kv edges, in declared order, into an empty `cache`, each sender's keys
/// re-based to follow those before it, and sets each layer's next position, shared rows and mask. Returns for each
/// arrival its rows at each layer. Throws Error that names the edge: tensors of a wrong shape, a layer out of range,
/// a context that cannot be re-based, no room left in max_position_embeddings.
std::vector<std::vector<llm::RowRange>> place_kv(const llm::Model& model, const std::vector<KvArrival>& arrivals,
                                                 llm::KvCache& cache);

}  // namespace kvmesh::agents
