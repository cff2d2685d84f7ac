#include "agents/media/kv_sender.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "base/error.hpp"
#include "kvcodec/layer_selection.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/quantize.hpp"

namespace kvmesh::agents {
namespace {

kvcodec::EdgeMeasures measures_of(const OutboundEdge& edge, std::size_t element_bytes) {
  kvcodec::EdgeMeasures measured = edge.measured;
  measured.layer_bytes = kvcodec::row_bytes(edge.wire(), edge.receiver.num_key_value_heads, edge.receiver.head_dim,
                                            static_cast<std::int64_t>(element_bytes));
  return measured;
}

bool contains(const std::vector<int>& sorted, int value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

bool quantizes(wire::WireDtype wire) { return wire == wire::WireDtype::kInt8 || wire == wire::WireDtype::kInt4; }

std::int64_t rows_in_a_piece(const llm::KvCache& cache, bool quantized) {
  const at::Tensor keys = cache.layer(0).keys();
  const std::int64_t row_bytes =
      std::max<std::int64_t>(1, keys.size(1) * keys.size(2) *
                                    static_cast<std::int64_t>(quantized ? 1 : keys.element_size()));
  // Whole blocks, which are whole groups of quantised keys too.
  static_assert(wire::kBlockTokens == kvcodec::kQuantGroup && KvSender::kPieceRows % wire::kBlockTokens == 0);
  const std::int64_t rows = KvSender::kPieceBytes / row_bytes;
  return std::clamp(rows - rows % wire::kBlockTokens, wire::kBlockTokens, KvSender::kPieceRows);
}

}  // namespace

kvcodec::LayerKv rows_of(const llm::LayerCache& cache, std::int64_t begin, std::int64_t end) {
  c10::InferenceMode guard;
  return {cache.keys().narrow(0, begin, end - begin), cache.values().narrow(0, begin, end - begin),
          kvcodec::compress_positions(
              std::span(cache.positions())
                  .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)))};
}

wire::LayerChoice choice_of(const OutboundEdge& edge, std::size_t element_bytes, bool calibrate) {
  wire::LayerChoice choice = edge.spec.layers;
  if (calibrate) choice.kind = wire::LayerChoice::Kind::kAll;
  return kvcodec::with_heads_named(choice, static_cast<int>(edge.receiver.num_hidden_layers),
                                   static_cast<int>(edge.receiver.num_key_value_heads),
                                   measures_of(edge, element_bytes));
}

KvSender::KvSender(const OutboundEdge& edge, const llm::KvCache& cache, const Plan& plan)
    : forward_(edge.spec.forward),
      carries_sink_(edge.carries_sink),
      wire_(plan.calibrate && edge.spec.wire == wire::WireDtype::kAuto ? wire::WireDtype::kSame : edge.wire()),
      own_rows_(plan.own_rows),
      piece_rows_(rows_in_a_piece(cache, quantizes(wire_))) {
  const int sender_layers = cache.layers();
  const auto receiver_layers = static_cast<int>(edge.receiver.num_hidden_layers);
  const kvcodec::LayerMap map(sender_layers, receiver_layers);
  const std::size_t element_bytes = cache.layer(0).keys().element_size();
  const wire::LayerChoice choice = choice_of(edge, element_bytes, plan.calibrate);
  const std::vector<int> selected =
      kvcodec::select_layers(choice, receiver_layers, measures_of(edge, element_bytes), plan.record_index);
  const bool by_heads = choice.kind == wire::LayerChoice::Kind::kHeads;
  const auto kv_heads = static_cast<int>(edge.receiver.num_key_value_heads);
  const bool first_besides = !by_heads && !choice.by_loss();
  description_ = by_heads ? kvcodec::describe_heads(choice, receiver_layers, kv_heads)
                          : kvcodec::describe_selection(selected, receiver_layers, first_besides);
  if (edge.spec.wire == wire::WireDtype::kAuto) description_ += cat(", ", wire::to_string(wire_));
  by_sender_layer_.resize(static_cast<std::size_t>(sender_layers));
  to_come_.resize(static_cast<std::size_t>(receiver_layers));
  for (int layer = 0; layer < receiver_layers; ++layer) {
    const bool whole = map.source(layer).has_value() &&
                       (contains(selected, layer) || (first_besides && contains(map.first_layers(), layer)));
    if (!whole && !carries_sink_) continue;
    const int source = whole ? *map.source(layer) : map.sink_source(layer);
    const std::int64_t held = whole && !plan.held.empty() ? plan.held.at(static_cast<std::size_t>(layer)) : 0;
    Outgoing outgoing{.receiver_layer = layer, .whole = whole, .held = held * wire::kBlockTokens, .sent = 0};
    if (by_heads && whole) outgoing.heads = kvcodec::heads_at(choice, layer, kv_heads);
    // Where nothing is forwarded the number of pieces depends on whether others shared rows, not on how many.
    const std::int64_t shared_rows = forward_ ? cache.layer(source).shared_rows : plan.behind_others ? 1 : 0;
    const std::size_t pieces = cut(shared_rows, outgoing).size();
    by_sender_layer_[static_cast<std::size_t>(source)].push_back(outgoing);
    to_come_[static_cast<std::size_t>(layer)] = pieces;
    message_count_ += static_cast<std::uint32_t>(pieces);
  }
  while (layers_complete_ < receiver_layers && to_come_[static_cast<std::size_t>(layers_complete_)] == 0)
    ++layers_complete_;
}

bool KvSender::sink_apart(const Outgoing& outgoing) const { return quantizes(wire_) || !outgoing.heads.empty(); }

/// Pieces are counted from `start`, so that receivers that hold different blocks get the same pieces of the rest.
std::int64_t KvSender::end_of_piece(const Outgoing& outgoing, std::int64_t begin, std::int64_t start,
                                    std::int64_t end) const {
  std::int64_t next = start + ((begin - start) / piece_rows_ + 1) * piece_rows_;
  if (sink_apart(outgoing) && begin == 0) next = 1;
  // Without the sink the first block is no whole group: groups begin anew behind it.
  if (quantizes(wire_) && begin == 1 && start == 0) next = wire::kBlockTokens;
  return std::min(end, next);
}

std::vector<KvSender::Rows> KvSender::cut(std::int64_t shared_rows, const Outgoing& outgoing) const {
  if (!outgoing.whole) return {{0, 1}};
  std::vector<Rows> pieces;
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t start = begin;
    while (begin < end) {
      const bool kept = begin < outgoing.held && !(sink_apart(outgoing) && begin == 0);
      const std::int64_t next = kept ? outgoing.held : end_of_piece(outgoing, begin, start, end);
      pieces.push_back({begin, next, kept});
      begin = next;
    }
  };
  if (forward_) {
    add(0, shared_rows);
  } else if (shared_rows > 0 && carries_sink_) {
    add(0, 1);
  }
  add(shared_rows, shared_rows + own_rows_);
  return pieces;
}

void KvSender::count_off(int receiver_layer) {
  --to_come_[static_cast<std::size_t>(receiver_layer)];
  while (layers_complete_ < static_cast<int>(to_come_.size()) &&
         to_come_[static_cast<std::size_t>(layers_complete_)] == 0)
    ++layers_complete_;
}

std::vector<KvSender::Piece> KvSender::pieces_of(int sender_layer, const llm::LayerCache& cache) {
  const std::int64_t first_row = forward_ ? 0 : cache.shared_rows;
  const std::int64_t own_rows_to_come = cache.shared_rows + own_rows_ - cache.length();
  std::vector<Piece> pieces;
  for (Outgoing& outgoing : by_sender_layer_.at(static_cast<std::size_t>(sender_layer))) {
    const std::vector<Rows> all = cut(cache.shared_rows, outgoing);
    for (; outgoing.sent < all.size() && all[outgoing.sent].end <= cache.length(); ++outgoing.sent) {
      const Rows rows = all[outgoing.sent];
      count_off(outgoing.receiver_layer);
      const bool sink = rows.begin == 0 && rows.end == 1;
      pieces.push_back({.receiver_layer = outgoing.receiver_layer,
                        .begin = rows.begin,
                        .end = rows.end,
                        .wire = sink && quantizes(wire_) ? wire::WireDtype::kBFloat16 : wire_,
                        .context_start = cache.positions()[static_cast<std::size_t>(first_row)],
                        .context_end = cache.next_position + own_rows_to_come,
                        .layers_complete = layers_complete_,
                        .kept = rows.kept,
                        .heads = sink && carries_sink_ ? std::vector<std::int32_t>() : outgoing.heads});
    }
  }
  return pieces;
}

}  // namespace kvmesh::agents
