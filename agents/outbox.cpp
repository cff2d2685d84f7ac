#include "agents/outbox.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "bus/topic.hpp"
#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {
namespace {

std::size_t bytes_of(const kvcodec::LayerKv& rows) { return rows.keys.nbytes() + rows.values.nbytes(); }

}  // namespace

Outbox::Outbox(const llm::Model& model, const Wiring& wiring, const bus::Task& task, const Publish& publish,
               const KvReuse& reuse)
    : wiring_(wiring),
      task_(task),
      publish_(publish),
      reuse_(reuse),
      manifest_(llm::manifest_of(model.config()).hash()),
      seed_(cat(model.fingerprint(), ' ', c10::toString(model.dtype()))),
      element_bytes_(c10::elementSize(model.dtype())) {
  edges_.resize(wiring.outbound.size());
  if (!model.device().is_cpu()) copies_.emplace(model.device());
}

void Outbox::plan_kv(wire::Share share, const llm::KvCache& cache, std::int64_t own_rows) {
  const bool behind_others = std::any_of(wiring_.inbound.begin(), wiring_.inbound.end(),
                                         [](const InboundEdge& edge) { return edge.spec.medium == wire::Medium::kKv; });
  const KvSender::Plan plan{.own_rows = own_rows,
                            .behind_others = behind_others,
                            .record_index = task_.record_index,
                            .calibrate = task_.calibrate};
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const OutboundEdge& edge = wiring_.outbound[i];
    if (edge.spec.medium == wire::Medium::kKv && edge.spec.share == share) edges_[i].plan = plan;
  }
  cache_ = &cache;
}

void Outbox::offer(std::span<const std::int64_t> prompt) {
  if (!reuse_.offer) return;
  const wire::Offer whole{.request = task_.request, .blocks = wire::name_blocks(prompt, seed_)};
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    wire::EdgeSpec spec = wiring_.outbound[i].spec;
    if (spec.medium != wire::Medium::kKv) continue;
    // What is measured on travels in another form than what comes after: it would be kept for nothing.
    if (task_.calibrate && spec.wire == wire::WireDtype::kAuto) continue;
    // Rows of some heads are no others' blocks: what they are is in their names.
    spec.layers = choice_of(wiring_.outbound[i], element_bytes_, task_.calibrate);
    const wire::Offer offer =
        spec.layers.by_heads()
            ? wire::Offer{whole.request, wire::name_blocks(prompt, cat(seed_, ' ', wire::to_json(spec)))}
            : whole;
    const std::size_t bytes = reuse_.offer(i, offer);
    edges_[i].bytes += bytes;
    edges_[i].offers = bytes > 0;
    edges_[i].offered = bytes > 0 ? static_cast<std::int64_t>(offer.blocks.size()) : 0;
  }
}

/// As late as can be: what the receiver holds may still be on its way.
KvSender Outbox::make_sender(std::size_t number) {
  const OutboundEdge& edge = wiring_.outbound[number];
  const std::int64_t offered = edges_[number].offered;
  KvSender::Plan plan = *std::exchange(edges_[number].plan, std::nullopt);
  if (offered > 0) {
    std::vector<std::int64_t> held = reuse_.held(number, task_.request);
    const bool sound = held.size() == static_cast<std::size_t>(edge.receiver.num_hidden_layers) &&
                       std::all_of(held.begin(), held.end(), [&](std::int64_t n) { return n <= offered; });
    if (sound) plan.held = std::move(held);
  }
  return KvSender(edge, *cache_, plan);
}

wire::Envelope Outbox::envelope_for(std::size_t edge, std::uint32_t count) const {
  const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
  wire::Envelope envelope;
  envelope.kind = spec.medium;
  envelope.mesh = wiring_.mesh;
  envelope.from = spec.from;
  envelope.to = spec.to;
  envelope.request = task_.request;
  envelope.sequence = edges_[edge].sent;
  envelope.count = count;
  envelope.manifest = manifest_;
  return envelope;
}

void Outbox::send(std::size_t edge, wire::UnsealedMessage message) {
  const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
  Edge& ours = edges_[edge];
  ++ours.sent;
  ours.bytes += bus::edge_topic(wiring_.mesh, spec.from, spec.to, wire::to_string(spec.medium)).size();
  ours.bytes += total_size(message.frames);
  publish_(edge, std::move(message));
}

kvcodec::LayerKv Outbox::on_host(const kvcodec::LayerKv& rows) {
  if (!copies_) return rows;
  return {copies_->to_host(rows.keys), copies_->to_host(rows.values), rows.positions};
}

kvcodec::PackedRows Outbox::pack(const Departing& departing) const {
  try {
    return kvcodec::pack_rows(kvcodec::only_heads(departing.rows, departing.piece.heads), departing.piece.wire);
  } catch (const Error& error) {
    throw Error(error.kind(), cat("edge ", wire::describe(wiring_.outbound[departing.edge].spec), ": layer ",
                                  departing.piece.receiver_layer, " cannot be sent: ", error.what()));
  }
}

void Outbox::send_layer(int layer, const llm::LayerCache& cache, wire::Share share) {
  finish_layers();
  std::map<std::pair<std::int64_t, std::int64_t>, kvcodec::LayerKv> taken;
  for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
    const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
    if (spec.medium != wire::Medium::kKv || spec.share != share) continue;
    if (edges_[edge].plan) edges_[edge].kv.emplace(make_sender(edge));
    if (!edges_[edge].kv) continue;
    for (const KvSender::Piece& piece : edges_[edge].kv->pieces_of(layer, cache)) {
      if (piece.kept) {  // its rows are looked at only where they are asked for after all
        departing_.push_back({edge, piece, rows_of(cache, piece.begin, piece.end)});
        continue;
      }
      auto [rows, fresh] = taken.try_emplace({piece.begin, piece.end});
      if (fresh) rows->second = on_host(rows_of(cache, piece.begin, piece.end));
      departing_.push_back({edge, piece, rows->second});
    }
  }
  if (!copies_) finish_layers();
}

void Outbox::finish_layers() {
  if (departing_.empty()) return;
  if (copies_) copies_->wait();
  using Packing = std::tuple<std::int64_t, std::int64_t, wire::WireDtype, std::vector<std::int32_t>>;
  std::map<Packing, kvcodec::PackedRows> packed;
  for (const Departing& departing : departing_) {
    const KvSender::Piece& piece = departing.piece;
    wire::Envelope envelope = envelope_for(departing.edge, edges_[departing.edge].kv->message_count());
    envelope.layer = piece.receiver_layer;
    envelope.context_start = piece.context_start;
    envelope.context_end = piece.context_end;
    envelope.layers_complete = piece.layers_complete;
    envelope.heads = piece.heads;
    if (piece.kept) {
      send_reference(departing, std::move(envelope));
      continue;
    }
    auto [rows, fresh] = packed.try_emplace({piece.begin, piece.end, piece.wire, piece.heads});
    if (fresh) rows->second = pack(departing);
    send_rows(departing, rows->second, envelope);
  }
  departing_.clear();
}

void Outbox::send_rows(const Departing& departing, const kvcodec::PackedRows& packed, const wire::Envelope& envelope) {
  wire::UnsealedMessage message = kvcodec::address_rows(packed, envelope);
  if (edges_[departing.edge].offers)
    reuse_.sent(departing.edge, task_.request, envelope.sequence, bytes_of(departing.rows),
                [message] { return message; });
  send(departing.edge, std::move(message));
}

void Outbox::send_reference(const Departing& departing, wire::Envelope envelope) {
  const KvSender::Piece& piece = departing.piece;
  reuse_.sent(departing.edge, task_.request, envelope.sequence, bytes_of(departing.rows),
              [rows = departing.rows, wire = piece.wire, envelope] {
                return kvcodec::address_rows(kvcodec::pack_rows(kvcodec::only_heads(rows, envelope.heads), wire),
                                             envelope);
              });
  envelope.encoding = wire::Encoding::kKept;
  envelope.positions = {{.first = piece.begin, .count = piece.end - piece.begin}};
  send(departing.edge, {wire::encode_message(std::move(envelope), {}), nullptr});
}

void Outbox::send_text(std::size_t edge, std::string text) {
  send(edge, {kvcodec::encode_text(std::move(text), envelope_for(edge, 1)), nullptr});
}

void Outbox::send_tensor(std::size_t edge, const at::Tensor& tensor, const char* name) {
  send(edge, {kvcodec::encode_tensor(tensor, name, envelope_for(edge, 1)), nullptr});
}

std::vector<bus::EdgeReport> Outbox::reports() const {
  std::vector<bus::EdgeReport> reports;
  for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
    const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
    reports.push_back({spec.from, spec.to, wire::to_string(spec.medium),
                       edges_[edge].kv ? edges_[edge].kv->description() : std::string(), edges_[edge].bytes});
  }
  return reports;
}

}  // namespace kvmesh::agents
