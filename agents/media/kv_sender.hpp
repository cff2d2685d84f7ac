#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agents/wiring.hpp"
#include "kvcodec/layer_kv.hpp"
#include "kvcodec/layer_map.hpp"
#include "kvcodec/wire/reuse.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// The sender's end of a kv edge for one request: which rows of which layer leave, and in which messages. Decides at
/// construction, from the edge's layer choice, the scores and the record, so that the number of messages is known
/// before the first leaves.
///
/// Rows leave in pieces: at most kPieceRows rows, so that a long prompt leaves chunk by chunk while it is prefilled,
/// and at most kPieceBytes of keys, the frame size that moves fastest (docs/results.md). On an edge that quantises, the
/// first row of all is a piece of its own and stays as it is: it is the attention sink. So it is at a layer of which
/// single heads are shared, where it has all heads. Pieces end where blocks end
/// (kvcodec/wire/reuse.hpp), so that each block stands in one of them; blocks that the receiver holds are one piece,
/// without rows.
class KvSender {
 public:
  static constexpr std::int64_t kPieceRows = llm::Model::kPrefillChunk;
  static constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;

  /// What is known before the first row leaves.
  struct Plan {
    std::int64_t own_rows = 0;   ///< that the sender's own tokens take at each layer, in all
    bool behind_others = false;  ///< rows that others shared stand before them, or will
    std::uint64_t record_index = 0;
    bool calibrate = false;  ///< share every layer whatever the edge says
    /// Of each receiver layer, blocks that the receiver holds; empty: none. Only where `behind_others` is false.
    std::vector<std::int64_t> held;
  };

  /// What others shared must stand in `cache` already where the edge forwards it.
  KvSender(const OutboundEdge& edge, const llm::KvCache& cache, const Plan& plan);

  /// Rows of one layer of the sender for one layer of the receiver.
  struct Piece {
    int receiver_layer = 0;
    std::int64_t begin = 0, end = 0;  ///< rows of the sender's layer
    wire::WireDtype wire = wire::WireDtype::kSame;
    std::int64_t context_start = 0;  ///< position of the first row that is not only a sink
    std::int64_t context_end = 0;
    int layers_complete = 0;               ///< see wire::Envelope
    bool kept = false;                     ///< the receiver has these rows
    std::vector<std::int32_t> heads = {};  ///< that leave; empty: all
  };

  std::uint32_t message_count() const { return message_count_; }
  /// The pieces whose rows have come to stand in `cache`, the sender's layer `sender_layer`, since the last call. What
  /// others shared must stand there.
  std::vector<Piece> pieces_of(int sender_layer, const llm::LayerCache& cache);
  /// "2 of 8 + layer 0"; "2 of 8" where layers are chosen by loss, and layer 0 does not travel besides; with
  /// `wire: auto` also what numbers travel as: "2 of 8, int4".
  const std::string& description() const { return description_; }

 private:
  struct Outgoing {
    int receiver_layer = 0;
    bool whole = false;                    ///< all rows; otherwise the sink alone
    std::int64_t held = 0;                 ///< rows that the receiver has
    std::size_t sent = 0;                  ///< pieces
    std::vector<std::int32_t> heads = {};  ///< empty: all
  };
  struct Rows {
    std::int64_t begin = 0, end = 0;
    bool kept = false;
  };

  std::vector<Rows> cut(std::int64_t shared_rows, const Outgoing& outgoing) const;
  std::int64_t end_of_piece(const Outgoing& outgoing, std::int64_t begin, std::int64_t start, std::int64_t end) const;
  bool sink_apart(const Outgoing& outgoing) const;
  void count_off(int receiver_layer);

  bool forward_;
  bool carries_sink_;
  wire::WireDtype wire_;
  std::int64_t own_rows_;
  std::int64_t piece_rows_;
  std::uint32_t message_count_ = 0;
  std::string description_;
  std::vector<std::vector<Outgoing>> by_sender_layer_;
  std::vector<std::size_t> to_come_;  ///< messages, by receiver layer
  int layers_complete_ = 0;
};

/// What leaves on a kv edge: its own choice, single heads named, or, with `calibrate`, every layer. `element_bytes`: of
/// a number in the sender's cache. Throws as kvcodec::select_layers().
wire::LayerChoice choice_of(const OutboundEdge& edge, std::size_t element_bytes, bool calibrate);

/// Rows [begin, end) of a layer, as views of the cache.
kvcodec::LayerKv rows_of(const llm::LayerCache& cache, std::int64_t begin, std::int64_t end);

}  // namespace kvmesh::agents
