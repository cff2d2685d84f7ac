#include "agents/turns/wire_search.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "agents/media/kv_sender.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/layer_map.hpp"
#include "kvcodec/layer_selection.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/quantize.hpp"
#include "kvcodec/wire/search_cost.hpp"
#include "llm/decode/share_trials.hpp"

namespace kvmesh::agents {
namespace {

using wire::WireDtype;

/// What the codec makes of rows on their way.
kvcodec::LayerKv through_codec(const kvcodec::LayerKv& rows, WireDtype wire) {
  wire::Envelope envelope;
  envelope.mesh = envelope.from = envelope.to = envelope.request = "trial";
  envelope.layer = 0;
  envelope.count = 1;
  envelope.context_end = rows.positions.back().first + rows.positions.back().count;
  const auto frames = kvcodec::address_rows(kvcodec::pack_rows(rows, wire), envelope).sealed();
  kvcodec::LayerKv came = {at::empty_like(rows.keys), at::empty_like(rows.values), rows.positions};
  kvcodec::decode_layer_into(wire::decode_message(frames), came.keys, came.values);
  return came;
}

kvcodec::LayerKv part(const kvcodec::LayerKv& rows, std::int64_t begin, std::int64_t end) {
  return {rows.keys.narrow(0, begin, end - begin),
          rows.values.narrow(0, begin, end - begin),
          {{.first = begin, .count = end - begin}}};
}

/// The layers that the edge shares, those that travel besides among them.
std::set<int> shared_layers(const InboundEdge& edge, const bus::EdgeScores& found, double layer_bytes,
                            const std::vector<double>& attention) {
  kvcodec::EdgeMeasures measured{.importances = attention, .best_sets = {}, .layer_bytes = layer_bytes};
  for (const bus::SharedLayers& set : found.path) measured.best_sets.push_back(set.layers);
  const auto depth = static_cast<int>(attention.size());
  const std::vector<int> selected = kvcodec::select_layers(edge.spec.layers, depth, measured, /*record_index=*/0);
  std::set<int> layers(selected.begin(), selected.end());
  const kvcodec::LayerMap map(static_cast<int>(edge.sender.num_hidden_layers), depth);
  if (!edge.spec.layers.by_loss()) layers.insert(map.first_layers().begin(), map.first_layers().end());
  return layers;
}

/// Writes rows as `wire` leaves them to where they stand.
void pass_through(llm::LayerCache& cache, const llm::RowRange& rows, WireDtype wire) {
  const kvcodec::LayerKv came = as_received(rows_of(cache, rows.begin, rows.end), wire);
  cache.key_store().narrow(0, rows.begin, rows.count()).copy_(came.keys);
  cache.value_store().narrow(0, rows.begin, rows.count()).copy_(came.values);
}

/// The sample with the edge's rows at `layers` as `wire` leaves them, elsewhere its sink alone.
llm::TrialPrompt trial_of(const llm::Model& model, const SearchSample& sample, std::size_t edge,
                          const std::set<int>& layers, WireDtype wire) {
  std::vector<llm::LayerCache> whole, reduced;
  std::vector<llm::RowRange> left_out;
  const at::Tensor embeddings = sample.embeddings(model);
  const std::int64_t own = embeddings.size(0);
  for (int l = 0; l < sample.shared.layers(); ++l) {
    const llm::RowRange rows = sample.rows.at(edge).at(static_cast<std::size_t>(l));
    const llm::LayerCache& all = sample.shared.layer(l);
    whole.push_back(all.shared_alone(own));
    if (layers.contains(l) && rows.count() > 0) pass_through(whole.back(), rows, wire);
    left_out.push_back(sample.left_out(edge, l));
    reduced.push_back(all.shared_alone(own, left_out.back().begin, left_out.back().end));
    if (rows.begin == 0 && rows.count() > 0) pass_through(reduced.back(), {0, 1}, wire);
  }
  return {llm::KvCache(std::move(whole)), llm::KvCache(std::move(reduced)), embeddings, sample.target,
          std::move(left_out)};
}

}  // namespace

kvcodec::LayerKv as_received(const kvcodec::LayerKv& rows, WireDtype wire) {
  c10::InferenceMode guard;
  if (wire != WireDtype::kInt8 && wire != WireDtype::kInt4) return through_codec(rows, wire);
  // As KvSender cuts them: the sink apart, then groups that begin at multiples of 64 tokens.
  std::vector<at::Tensor> keys, values;
  const std::int64_t tokens = rows.tokens();
  for (const auto& [begin, end] :
       {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, kvcodec::kQuantGroup}, {kvcodec::kQuantGroup, tokens}}) {
    const std::int64_t last = std::min(end, tokens);
    if (begin >= last) continue;
    const kvcodec::LayerKv came = through_codec(part(rows, begin, last), begin == 0 ? WireDtype::kBFloat16 : wire);
    keys.push_back(came.keys);
    values.push_back(came.values);
  }
  return {at::cat(keys), at::cat(values), rows.positions};
}

void choose_wire(const llm::Model& model, const InboundEdge& edge, std::size_t number,
                 const std::vector<SearchSample>& samples, const SearchHooks& hooks, bus::EdgeScores& found) {
  c10::InferenceMode guard;
  const auto checks = static_cast<std::size_t>(wire::checking_records(static_cast<int>(samples.size())));
  const std::size_t first = checks > 0 ? samples.size() - checks : 0;
  const std::vector<double> attention = mean_attention(samples, number);
  const at::Tensor keys = samples.front().shared.layer(0).keys();
  const auto loss = [&](WireDtype wire, bool shared) {
    const double bytes =
        kvcodec::row_bytes(wire, keys.size(1), keys.size(2), static_cast<std::int64_t>(keys.element_size()));
    const std::set<int> layers = shared_layers(edge, found, bytes, attention);
    llm::ShareTrials::Mask mask(attention.size());
    if (shared)
      for (const int layer : layers) mask[static_cast<std::size_t>(layer)] = true;
    std::vector<llm::TrialPrompt> prompts;
    for (std::size_t i = first; i < samples.size(); ++i)
      prompts.push_back(trial_of(model, samples[i], number, layers, wire));
    llm::ShareTrials trials(model, std::move(prompts), [&](std::int64_t) {
      if (hooks.refuse_if_over) hooks.refuse_if_over();
    });
    const auto nats = trials.nats(mask, {&mask, 1}, 0, trials.prompts());
    return std::accumulate(nats.front().begin(), nats.front().end(), 0.0) / static_cast<double>(trials.prompts());
  };
  const double unquantised = loss(WireDtype::kSame, true), none = loss(WireDtype::kSame, false);
  found.wire = wire::to_string(WireDtype::kSame);
  found.wires = {{found.wire, unquantised}};
  for (const WireDtype wire : {WireDtype::kInt4, WireDtype::kInt8, WireDtype::kBFloat16}) {
    const double lost = loss(wire, true);
    found.wires.push_back({wire::to_string(wire), lost});
    if (lost - unquantised > kLostToBits * std::max(none - unquantised, 0.0)) continue;
    found.wire = wire::to_string(wire);
    return;
  }
}

}  // namespace kvmesh::agents
