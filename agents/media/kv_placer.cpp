#include "agents/media/kv_placer.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/positions.hpp"

namespace kvmesh::agents {
namespace {

/// Room for the receiver's own tokens behind what is shared. Most prompts fit; memory that is not written costs
/// nothing.
constexpr std::int64_t kOwnRows = 1024;

/// Of rows that have `heads` alone: none of them is any other head's.
void hide_missing_heads(llm::LayerCache& layer, const std::vector<std::int32_t>& heads, llm::RowRange rows) {
  if (heads.empty()) return;
  for (std::int32_t head = 0; head < layer.key_store().size(1); ++head)
    if (!std::binary_search(heads.begin(), heads.end(), head)) layer.hide(head, rows);
}

}  // namespace

KvPlacer::KvPlacer(const llm::Model& model, std::vector<const InboundEdge*> edges, llm::KvCache& cache,
                   ByteBudget waiting)
    : model_(model), cache_(cache), waiting_(std::move(waiting)) {
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
    wait(number, std::move(own));
  }
  advance(number, envelope);
}

void KvPlacer::place(std::size_t number, const wire::Envelope& envelope, std::vector<wire::WireMessage> rows) {
  c10::InferenceMode guard;
  begin(number, envelope);
  for (wire::WireMessage& message : rows) {
    if (is_next(number, envelope.layer)) write(number, message, kvcodec::decode_layer_into);
    else wait(number, std::move(message));
  }
  advance(number, envelope);
}

void KvPlacer::wait(std::size_t number, wire::WireMessage checked) {
  Edge& edge = edges_[number];
  const std::size_t bytes = total_size(checked.payload);
  std::optional<ByteBudget::Claim> claim = waiting_.claim(bytes);
  if (!claim)
    throw Error(ErrorKind::kRetry,
                cat("edge ", wire::describe(edge.wiring->spec), ": ", bytes,
                    " bytes of rows came before those of the edges in front of it, and ", waiting_.used(), " of the ",
                    waiting_.limit(), " bytes that may wait are taken; run fewer records at a time"));
  edge.waiting[static_cast<std::size_t>(checked.envelope.layer)].push_back({std::move(checked), std::move(*claim)});
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
    for (; !waiting.empty(); waiting.pop_front()) write(i, waiting.front().message, kvcodec::decode_layer_into);
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
  hide_missing_heads(layer, message.envelope.heads, {before, layer.length()});
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
