#include "agents/media/kv.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/layer_selection.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/quantize.hpp"

namespace kvmesh::agents {
namespace {

std::vector<int> chosen_layers(const OutboundEdge& edge, int receiver_layers, std::uint64_t record_index,
                               bool calibrate) {
  wire::LayerChoice choice = edge.spec.layers;
  if (calibrate) choice.kind = wire::LayerChoice::Kind::kAll;
  return kvcodec::select_layers(choice, receiver_layers, edge.scores, record_index);
}

bool contains(const std::vector<int>& sorted, int value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

/// Room for the receiver's own tokens behind what is shared. Most prompts fit; memory that is not written costs
/// nothing.
constexpr std::int64_t kOwnRows = 1024;

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

KvSender::KvSender(const OutboundEdge& edge, const llm::KvCache& cache, const Plan& plan)
    : forward_(edge.spec.forward),
      carries_sink_(edge.carries_sink),
      wire_(edge.spec.wire),
      own_rows_(plan.own_rows),
      piece_rows_(rows_in_a_piece(cache, quantizes(edge.spec.wire))) {
  const int sender_layers = cache.layers();
  const auto receiver_layers = static_cast<int>(edge.receiver.num_hidden_layers);
  const kvcodec::LayerMap map(sender_layers, receiver_layers);
  const std::vector<int> selected = chosen_layers(edge, receiver_layers, plan.record_index, plan.calibrate);
  description_ = kvcodec::describe_selection(selected, receiver_layers);
  by_sender_layer_.resize(static_cast<std::size_t>(sender_layers));
  to_come_.resize(static_cast<std::size_t>(receiver_layers));
  for (int layer = 0; layer < receiver_layers; ++layer) {
    const bool whole =
        map.source(layer).has_value() && (contains(selected, layer) || contains(map.first_layers(), layer));
    if (!whole && !carries_sink_) continue;
    const int source = whole ? *map.source(layer) : map.sink_source(layer);
    const std::int64_t held = whole && !plan.held.empty() ? plan.held.at(static_cast<std::size_t>(layer)) : 0;
    Outgoing outgoing{.receiver_layer = layer, .whole = whole, .held = held * wire::kBlockTokens, .sent = 0};
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

/// Pieces are counted from `start`, so that receivers that hold different blocks get the same pieces of the rest.
std::int64_t KvSender::end_of_piece(std::int64_t begin, std::int64_t start, std::int64_t end) const {
  std::int64_t next = start + ((begin - start) / piece_rows_ + 1) * piece_rows_;
  if (quantizes(wire_) && begin == 0) next = 1;
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
      const bool kept = begin < outgoing.held && !(quantizes(wire_) && begin == 0);
      const std::int64_t next = kept ? outgoing.held : end_of_piece(begin, start, end);
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
                        .kept = rows.kept});
    }
  }
  return pieces;
}

KvPlacer::KvPlacer(const llm::Model& model, std::vector<const InboundEdge*> edges, llm::KvCache& cache)
    : model_(model), cache_(cache) {
  const auto layers = static_cast<std::size_t>(cache.layers());
  for (const InboundEdge* edge : edges) {
    Edge& ours = edges_.emplace_back();
    ours.wiring = edge;
    ours.waiting.resize(layers);
    ours.rows.resize(layers);
  }
}

void KvPlacer::place(std::size_t number, const wire::WireMessage& message) {
  c10::InferenceMode guard;
  const wire::Envelope& envelope = message.envelope;
  begin(number, envelope);
  if (is_next(number, envelope.layer)) {
    write(number, message, kvcodec::check_and_decode_layer_into);
  } else {
    wire::WireMessage own = message;
    wire::check_checksum(envelope, wire::detach(own));
    edges_[number].waiting[static_cast<std::size_t>(envelope.layer)].push_back(std::move(own));
  }
  advance(number, envelope);
}

void KvPlacer::place(std::size_t number, const wire::Envelope& envelope, std::vector<wire::WireMessage> rows) {
  c10::InferenceMode guard;
  begin(number, envelope);
  auto& waiting = edges_[number].waiting[static_cast<std::size_t>(envelope.layer)];
  std::move(rows.begin(), rows.end(), std::back_inserter(waiting));
  advance(number, envelope);
}

/// What an edge's messages say before their rows are looked at, the same in each of them.
void KvPlacer::begin(std::size_t number, const wire::Envelope& envelope) {
  if (envelope.layer < 0 || envelope.layer >= cache_.layers())
    throw Error(ErrorKind::kReconnect, cat("layer ", envelope.layer, " came over edge ", envelope.from, " -> ",
                                           envelope.to, ", the receiver has ", cache_.layers(), " layers"));
  Edge& edge = edges_.at(number);
  if (!edge.begun) edge.context_start = envelope.context_start;
  edge.begun = true;
  edge.context_end = std::max(edge.context_end, envelope.context_end);
  if (begun()) next_position();  // is there room?
}

/// The message has been placed, or waits.
void KvPlacer::advance(std::size_t number, const wire::Envelope& envelope) {
  Edge& edge = edges_[number];
  edge.layers_complete = std::min(envelope.layers_complete, cache_.layers());
  edge.ended = envelope.sequence + 1 == envelope.count;
  if (edges_.size() == 1) return place_waiting(envelope.layer);
  // What another edge kept back at any layer may be next now.
  for (int layer = 0; layer < cache_.layers(); ++layer) place_waiting(layer);
}

bool KvPlacer::begun() const {
  return std::all_of(edges_.begin(), edges_.end(), [](const Edge& edge) { return edge.begun; });
}

bool KvPlacer::edge_complete(const Edge& edge, int layer) const { return edge.ended || edge.layers_complete > layer; }

bool KvPlacer::complete(int layer) const {
  return std::all_of(edges_.begin(), edges_.end(), [&](const Edge& edge) {
    return edge_complete(edge, layer) && edge.waiting[static_cast<std::size_t>(layer)].empty();
  });
}

/// How far this sender's keys must turn: each follows the one before it. The first stands where it prefilled.
std::int64_t KvPlacer::shift_of(std::size_t number) const {
  std::int64_t next = 0;
  for (std::size_t i = 0; i <= number; ++i) {
    const Edge& edge = edges_[i];
    const bool overlap = edge.wiring->spec.positions == wire::Positions::kOverlap;
    const std::int64_t shift = i == 0 || overlap ? 0 : next - edge.context_start;
    if (i == number) return shift;
    next = edge.context_end + shift;
  }
  return 0;
}

std::int64_t KvPlacer::context_length() const {
  std::int64_t length = 0;
  for (const Edge& edge : edges_) length += edge.context_end - edge.context_start;
  return length;
}

std::int64_t KvPlacer::next_position() const {
  if (edges_.empty()) return 0;
  const std::int64_t last = edges_.back().context_end + shift_of(edges_.size() - 1);
  const bool overlap = std::any_of(edges_.begin(), edges_.end(), [](const Edge& edge) {
    return edge.wiring->spec.positions == wire::Positions::kOverlap;
  });
  const std::int64_t limit = model_.config().position_limit;
  if (std::max(last, context_length()) >= limit)
    fail_input("the shared contexts take ", std::max(last, context_length()), " positions, the receiver's ",
               "model has ", llm::describe_position_limit(model_.config()), "; shorten them");
  return overlap ? context_length() : last;
}

/// Rows of an edge wait until those of the edges before it stand at this layer.
bool KvPlacer::is_next(std::size_t number, int layer) const {
  const auto l = static_cast<std::size_t>(layer);
  return edges_[number].waiting[l].empty() &&
         std::all_of(edges_.begin(), edges_.begin() + static_cast<std::ptrdiff_t>(number), [&](const Edge& before) {
           return before.begun && edge_complete(before, layer) && before.waiting[l].empty();
         });
}

void KvPlacer::place_waiting(int layer) {
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    Edge& edge = edges_[i];
    if (!edge.begun) return;
    auto& waiting = edge.waiting[static_cast<std::size_t>(layer)];
    for (; !waiting.empty(); waiting.pop_front()) write(i, waiting.front(), kvcodec::decode_layer_into);
    if (!edge_complete(edge, layer)) return;
  }
}

void KvPlacer::write(std::size_t number, const wire::WireMessage& message, Decode decode) {
  Edge& edge = edges_[number];
  const std::int64_t shift = shift_of(number);
  if (shift != 0 && edge.wiring->sender.rope_depends_on_length)
    fail_input("edge ", wire::describe(edge.wiring->spec),
               ": keys whose RoPE scaling depends on the length cannot be re-based behind another sender's");
  llm::LayerCache& layer = cache_.layer(message.envelope.layer);
  const llm::ModelConfig& config = model_.config();
  const std::int64_t rows = kvcodec::rows_in(message, config.num_key_value_heads, config.head_dim);
  // More than the sink is the whole context: room for all of it at once, not by doubling.
  if (rows > 1) layer.reserve(context_length() + kOwnRows);
  const std::int64_t before = layer.length();
  const llm::LayerCache::Rows place = layer.behind(rows);
  decode(message, place.keys, place.values);
  if (shift != 0)
    place.keys.copy_(kvcodec::rotate_keys(place.keys, shift, model_.inverse_frequencies(message.envelope.layer)));
  layer.extend(kvcodec::expand_positions(kvcodec::shift_positions(message.envelope.positions, shift)));
  llm::RowRange& range = edge.rows[static_cast<std::size_t>(message.envelope.layer)];
  if (range.end == range.begin) range.begin = before;
  range.end = layer.length();
}

void KvPlacer::open(int number) {
  if (edges_.empty()) return;  // nothing is in front of what the cache's owner has there
  const auto any = [&](auto has) {
    return std::any_of(edges_.begin(), edges_.end(), [&](const Edge& edge) { return has(edge.wiring->spec); });
  };
  llm::LayerCache& layer = cache_.layer(number);
  layer.shared_rows = layer.length();
  layer.next_position = next_position();
  if (any([](auto& spec) { return spec.positions == wire::Positions::kCompact; }) && layer.length() > 0)
    layer.next_position = layer.positions().back() + 1;
  if (any([](auto& spec) { return spec.mask == wire::Mask::kAuthors; }) && layer.length() < context_length())
    layer.authors_mask_context = context_length();
}

std::vector<std::vector<llm::RowRange>> place_kv(const llm::Model& model, const std::vector<KvArrival>& arrivals,
                                                 llm::KvCache& cache) {
  std::vector<const InboundEdge*> edges;
  for (const KvArrival& arrival : arrivals) edges.push_back(arrival.edge);
  KvPlacer placer(model, std::move(edges), cache);
  for (std::size_t i = 0; i < arrivals.size(); ++i)
    for (const wire::WireMessage& message : *arrivals[i].messages) placer.place(i, message.envelope, {message});
  for (int layer = 0; layer < cache.layers(); ++layer) placer.open(layer);
  std::vector<std::vector<llm::RowRange>> rows;
  for (std::size_t i = 0; i < arrivals.size(); ++i) rows.push_back(placer.rows(i));
  return rows;
}

}  // namespace kvmesh::agents
