#include "agents/outbox.hpp"

#include <utility>

#include "bus/topic.hpp"
#include "kvcodec/encode.hpp"

namespace kvmesh::agents {

Outbox::Outbox(const llm::Model& model, const Wiring& wiring, const bus::Task& task, const Publish& publish)
    : wiring_(wiring), task_(task), publish_(publish), manifest_(llm::manifest_of(model.config()).hash()) {
  const auto layers = static_cast<int>(model.config().num_hidden_layers);
  for (const OutboundEdge& edge : wiring.outbound) {
    Edge& ours = edges_.emplace_back();
    if (edge.spec.medium == wire::Medium::kKv) ours.kv.emplace(edge, layers, task.record_index, task.calibrate);
  }
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

void Outbox::send(std::size_t edge, std::vector<OwnedBytes> frames) {
  const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
  Edge& ours = edges_[edge];
  ++ours.sent;
  ours.bytes += bus::edge_topic(wiring_.mesh, spec.from, spec.to, wire::to_string(spec.medium)).size();
  for (const OwnedBytes& frame : frames) ours.bytes += frame.size();
  publish_(edge, std::move(frames));
}

void Outbox::send_layer(int layer, const llm::LayerCache& cache, wire::Share share) {
  for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
    if (!edges_[edge].kv || wiring_.outbound[edge].spec.share != share) continue;
    for (KvSender::LayerMessage& message : edges_[edge].kv->messages_of(layer, cache)) {
      wire::Envelope envelope = envelope_for(edge, edges_[edge].kv->message_count());
      envelope.layer = message.receiver_layer;
      envelope.context_start = message.context_start;
      envelope.context_end = message.context_end;
      send(edge, kvcodec::encode_layer(message.rows, envelope));
    }
  }
}

void Outbox::send_text(std::size_t edge, std::string text) {
  send(edge, kvcodec::encode_text(std::move(text), envelope_for(edge, 1)));
}

void Outbox::send_tensor(std::size_t edge, const at::Tensor& tensor, const char* name) {
  send(edge, kvcodec::encode_tensor(tensor, name, envelope_for(edge, 1)));
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
