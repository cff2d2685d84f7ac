#include "agents/media/kv.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/layer_selection.hpp"
#include "kvcodec/positions.hpp"

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

/// Rows [begin, end) of a layer.
kvcodec::LayerKv rows_of(const llm::LayerCache& cache, std::int64_t begin, std::int64_t end) {
  return {cache.keys().narrow(0, begin, end - begin), cache.values().narrow(0, begin, end - begin),
          kvcodec::compress_positions(
              std::span(cache.positions())
                  .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)))};
}

/// The sink in front of the sender's own rows, which in a chain do not follow it in memory.
kvcodec::LayerKv sink_and_own_rows(const llm::LayerCache& cache) {
  kvcodec::LayerKv sink = rows_of(cache, 0, 1), own = rows_of(cache, cache.shared_rows, cache.length());
  sink.positions.insert(sink.positions.end(), own.positions.begin(), own.positions.end());
  return {at::cat({sink.keys, own.keys}), at::cat({sink.values, own.values}), sink.positions};
}

/// Where the receiver's sequence stands while senders are placed one after the other.
struct Progress {
  std::int64_t next = 0;    ///< position behind the last sender placed
  std::int64_t length = 0;  ///< tokens of all senders' contexts
};

/// How far this sender's keys must turn: each follows the one before it. The first stands where it prefilled.
std::int64_t shift_of(const KvArrival& arrival, std::size_t index, const Progress& progress) {
  const bool overlap = arrival.edge->spec.positions == wire::Positions::kOverlap;
  return index == 0 || overlap ? 0 : progress.next - arrival.messages->front().envelope.context_start;
}

void place_message(const llm::Model& model, const wire::WireMessage& message, std::int64_t shift, llm::KvCache& cache) {
  const int layer = message.envelope.layer;
  if (layer < 0 || layer >= cache.layers())
    throw Error(ErrorKind::kReconnect, cat("layer ", layer, " came over edge ", message.envelope.from, " -> ",
                                           message.envelope.to, ", the receiver has ", cache.layers(), " layers"));
  const kvcodec::LayerKv rows =
      kvcodec::decode_layer(message, model.config().num_key_value_heads, model.config().head_dim);
  const at::Tensor keys =
      shift == 0 ? rows.keys : kvcodec::rotate_keys(rows.keys, shift, model.inverse_frequencies(layer).cpu());
  cache.layer(layer).append(keys, rows.values,
                            kvcodec::expand_positions(kvcodec::shift_positions(rows.positions, shift)));
}

/// Positions and masks of the receiver's own tokens, once all that is shared stands in the cache.
void open_for_own_tokens(const std::vector<KvArrival>& arrivals, const Progress& progress, llm::KvCache& cache) {
  auto any = [&](auto has) {
    return std::any_of(arrivals.begin(), arrivals.end(), [&](const KvArrival& a) { return has(a.edge->spec); });
  };
  const bool compact = any([](auto& spec) { return spec.positions == wire::Positions::kCompact; });
  const bool overlap = any([](auto& spec) { return spec.positions == wire::Positions::kOverlap; });
  const bool authors = any([](auto& spec) { return spec.mask == wire::Mask::kAuthors; });
  for (int l = 0; l < cache.layers(); ++l) {
    llm::LayerCache& layer = cache.layer(l);
    layer.shared_rows = layer.length();
    layer.next_position = overlap ? progress.length : progress.next;
    if (compact && layer.length() > 0) layer.next_position = layer.positions().back() + 1;
    if (authors && layer.length() < progress.length) layer.authors_mask_context = progress.length;
  }
}

}  // namespace

KvSender::KvSender(const OutboundEdge& edge, int sender_layers, std::uint64_t record_index, bool calibrate)
    : forward_(edge.spec.forward), carries_sink_(edge.carries_sink) {
  const auto receiver_layers = static_cast<int>(edge.receiver.num_hidden_layers);
  const kvcodec::LayerMap map(sender_layers, receiver_layers);
  const std::vector<int> selected = chosen_layers(edge, receiver_layers, record_index, calibrate);
  description_ = kvcodec::describe_selection(selected, receiver_layers);
  by_sender_layer_.resize(static_cast<std::size_t>(sender_layers));
  for (int layer = 0; layer < receiver_layers; ++layer) {
    const bool whole =
        map.source(layer).has_value() && (contains(selected, layer) || contains(map.first_layers(), layer));
    if (!whole && !carries_sink_) continue;
    const int source = whole ? *map.source(layer) : map.sink_source(layer);
    by_sender_layer_[static_cast<std::size_t>(source)].push_back({layer, whole});
    ++message_count_;
  }
}

std::vector<KvSender::LayerMessage> KvSender::messages_of(int sender_layer, const llm::LayerCache& cache) const {
  c10::InferenceMode guard;
  const bool chained = cache.shared_rows > 0;
  const std::int64_t first_row = forward_ ? 0 : cache.shared_rows;
  std::vector<LayerMessage> messages;
  for (const Outgoing& outgoing : by_sender_layer_.at(static_cast<std::size_t>(sender_layer))) {
    LayerMessage message{.receiver_layer = outgoing.receiver_layer};
    if (!outgoing.whole) message.rows = rows_of(cache, 0, 1);
    else if (chained && carries_sink_ && !forward_) message.rows = sink_and_own_rows(cache);
    else message.rows = rows_of(cache, first_row, cache.length());
    message.context_start = cache.positions()[static_cast<std::size_t>(first_row)];
    message.context_end = cache.next_position;
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<std::vector<llm::RowRange>> place_kv(const llm::Model& model, const std::vector<KvArrival>& arrivals,
                                                 llm::KvCache& cache) {
  c10::InferenceMode guard;
  std::vector<std::vector<llm::RowRange>> rows;
  Progress progress;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const KvArrival& arrival = arrivals[i];
    const std::int64_t shift = shift_of(arrival, i, progress);
    if (shift != 0 && arrival.edge->sender.rope_depends_on_length)
      fail_input("edge ", wire::describe(arrival.edge->spec),
                 ": keys whose RoPE scaling depends on the length cannot be re-based behind another sender's");
    std::vector<llm::RowRange>& ranges = rows.emplace_back(static_cast<std::size_t>(cache.layers()));
    std::int64_t end = 0;
    for (const wire::WireMessage& message : *arrival.messages) {
      const auto layer = static_cast<std::size_t>(std::max(message.envelope.layer, 0));
      const std::int64_t before = layer < ranges.size() ? cache.layer(message.envelope.layer).length() : 0;
      place_message(model, message, shift, cache);
      ranges[layer] = {before, cache.layer(message.envelope.layer).length()};
      end = std::max(end, message.envelope.context_end + shift);
    }
    progress.length += end - shift - arrival.messages->front().envelope.context_start;
    progress.next = end;
  }
  open_for_own_tokens(arrivals, progress, cache);
  const std::int64_t limit = model.config().position_limit;
  if (std::max(progress.next, progress.length) >= limit)
    fail_input("the shared contexts take ", std::max(progress.next, progress.length), " positions, the receiver's ",
               "model has max_position_embeddings ", limit, "; shorten them");
  return rows;
}

}  // namespace kvmesh::agents
