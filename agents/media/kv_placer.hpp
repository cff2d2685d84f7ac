#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "agents/wiring.hpp"
#include "base/byte_budget.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// The receiver's end: puts what comes over the kv edges into an empty cache, as it comes. At each layer the rows of
/// the edges follow one another in declared order, each sender's keys re-based to follow those before it; what comes
/// before its turn waits. A plain state machine; one thread at a time, save that layers that are complete() and open
/// may be read and extended by another.
///
/// Bound: what waits, in bytes; a message that finds no room fails its request.
class KvPlacer {
 public:
  /// All arguments outlive this. `waiting`: what rows that wait may take.
  KvPlacer(const llm::Model& model, std::vector<const InboundEdge*> edges, llm::KvCache& cache,
           ByteBudget waiting = ByteBudget());

  /// The next message of edge number `edge`, in the order that Reassembly demands; its payload is checked while it is
  /// copied. Throws wire::DamagedMessage, and the message may come again: nothing of it has been placed. Throws Error
  /// that names the edge: tensors of a wrong shape, a layer out of range, a context that cannot be re-based, no room
  /// left in max_position_embeddings, nor for rows that have to wait.
  void place(std::size_t edge, const wire::WireMessage& message);
  /// A message whose rows stand in `rows`, which have been checked, and whose frames nobody waits for.
  void place(std::size_t edge, const wire::Envelope& envelope, std::vector<wire::WireMessage> rows);

  /// All rows that will ever come stand at this layer.
  bool complete(int layer) const;
  /// Where the receiver's own tokens begin, once every edge has said where its context ends.
  std::int64_t next_position() const;
  /// Lets own tokens follow at a layer that is complete(): sets its next position, shared rows and mask.
  void open(int layer);
  /// Of edge number `edge`, its rows at each layer so far.
  const std::vector<llm::RowRange>& rows(std::size_t edge) const { return edges_.at(edge).rows; }

 private:
  struct Waiting {
    wire::WireMessage message;  ///< checked
    ByteBudget::Claim claim;
  };
  struct Edge {
    const InboundEdge* wiring = nullptr;
    bool begun = false;
    bool ended = false;
    std::int64_t context_start = 0, context_end = 0;  ///< as the sender counts
    int layers_complete = 0;
    std::vector<std::list<Waiting>> waiting;  ///< by layer
    std::vector<llm::RowRange> rows;          ///< by layer
  };

  using Decode = void(const wire::WireMessage& message, const at::Tensor& keys, const at::Tensor& values);

  std::int64_t shift_of(std::size_t edge) const;
  bool edge_complete(const Edge& edge, int layer) const;
  void begin(std::size_t edge, const wire::Envelope& envelope);
  bool begun() const;
  bool is_next(std::size_t edge, int layer) const;
  void advance(std::size_t edge, const wire::Envelope& envelope);
  void wait(std::size_t edge, wire::WireMessage checked);
  void place_waiting(int layer);
  void write(std::size_t edge, const wire::WireMessage& message, Decode decode);
  std::int64_t context_length() const;

  const llm::Model& model_;
  llm::KvCache& cache_;
  ByteBudget waiting_;
  std::vector<Edge> edges_;
};

/// What came over one kv edge: messages that wire::decode_message has checked.
struct KvArrival {
  const InboundEdge* edge = nullptr;
  const std::vector<wire::WireMessage>* messages = nullptr;
};

/// All of it at once: a KvPlacer that is given every message, and opens every layer. Returns for each arrival its rows
/// at each layer.
std::vector<std::vector<llm::RowRange>> place_kv(const llm::Model& model, const std::vector<KvArrival>& arrivals,
                                                 llm::KvCache& cache);

}  // namespace kvmesh::agents
