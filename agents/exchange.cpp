#include "agents/exchange.hpp"

#include <ATen/ATen.h>

#include <optional>

#include "agents/media/kv.hpp"
#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/reassembly.hpp"
#include "kvcodec/wire/edge_fit.hpp"
#include "llm/decode/generate.hpp"

namespace kvmesh::agents {
namespace {

using Messages = std::vector<wire::WireMessage>;

std::string sender_name(std::size_t index) { return cat("sender", index + 1); }

wire::Envelope envelope_of(const wire::EdgeSpec& spec, const wire::Manifest& manifest, std::uint32_t sequence,
                           std::uint32_t count) {
  wire::Envelope envelope;
  envelope.kind = spec.medium;
  envelope.mesh = "exchange";
  envelope.from = spec.from;
  envelope.to = spec.to;
  envelope.request = "1";
  envelope.sequence = sequence;
  envelope.count = count;
  envelope.manifest = manifest.hash();
  return envelope;
}

/// The bus between the two ends: frames in, checked messages out.
class Wire {
 public:
  Wire(const wire::EdgeSpec& spec, const wire::Manifest& sender)
      : inbox_({"exchange", spec.from, spec.to, spec.medium, "1", sender.hash()}) {}
  void carry(const std::vector<OwnedBytes>& frames) {
    bytes_ += total_size(frames);
    inbox_.feed(wire::decode_message(frames));
  }
  Messages arrived() { return inbox_.take(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  kvcodec::Reassembly inbox_;
  std::uint64_t bytes_ = 0;
};

/// Tokens that must fit into a model's positions.
void refuse_too_long(const std::string& what, std::int64_t tokens, const wire::Manifest& model) {
  if (tokens > model.max_position_embeddings)
    fail_input(what, " are ", tokens, " positions; the model has max_position_embeddings ",
               model.max_position_embeddings);
}

void refuse_unfit(const wire::Manifest& sender, const wire::Manifest& receiver, const ExchangeRequest& request) {
  wire::EdgeSpec edge = request.edge;
  edge.from = "the sender";
  edge.to = "the receiver";
  if (const std::vector<std::string> problems = wire::unfit_ends(edge, sender, receiver); !problems.empty())
    fail_input("the models cannot share ", wire::to_string(edge.medium), ": ", problems.front());
  std::int64_t senders = 0;
  for (const std::vector<std::int64_t>& ids : request.sender_ids) {
    const auto own = static_cast<std::int64_t>(ids.size());
    senders += own;
    refuse_too_long("the sender's tokens", request.chain ? senders : own, sender);
  }
  const auto own = static_cast<std::int64_t>(request.receiver_ids.size());
  if (edge.medium != wire::Medium::kKv) senders = 0;
  refuse_too_long(cat(senders, " tokens of senders, ", own, " of the receiver and up to ", request.max_tokens,
                      " to generate"),
                  senders + own + request.max_tokens, receiver);
}

Messages send_kv(const OutboundEdge& edge, const llm::Model& model, const llm::KvCache& cache, std::uint64_t& bytes) {
  const llm::LayerCache& first = cache.layer(0);
  KvSender sender(edge, cache,
                  {.own_rows = first.length() - first.shared_rows, .behind_others = first.shared_rows > 0});
  const wire::Manifest manifest = llm::manifest_of(model.config());
  Wire wire(edge.spec, manifest);
  std::uint32_t sequence = 0;
  for (int l = 0; l < cache.layers(); ++l) {
    for (const KvSender::Piece& piece : sender.pieces_of(l, cache.layer(l))) {
      wire::Envelope envelope = envelope_of(edge.spec, manifest, sequence++, sender.message_count());
      envelope.layer = piece.receiver_layer;
      envelope.context_start = piece.context_start;
      envelope.context_end = piece.context_end;
      envelope.layers_complete = piece.layers_complete;
      const kvcodec::LayerKv rows = rows_of(cache.layer(l), piece.begin, piece.end);
      wire.carry(kvcodec::address_rows(kvcodec::pack_rows(rows, piece.wire), envelope).sealed());
    }
  }
  bytes += wire.bytes();
  return wire.arrived();
}

/// One kv edge that has carried its messages.
struct Carried {
  InboundEdge edge;
  Messages messages;
};

/// Prefills every sender; in a chain each with all of the one before it in view, and the last one alone shares.
std::vector<Carried> run_kv_senders(const llm::Model& model, const wire::Manifest& receiver,
                                    const ExchangeRequest& request, std::uint64_t& bytes) {
  std::vector<Carried> carried;
  std::optional<Carried> before;
  for (std::size_t i = 0; i < request.sender_ids.size(); ++i) {
    llm::KvCache cache = model.make_cache(static_cast<std::int64_t>(request.sender_ids[i].size()));
    if (before) place_kv(model, {{&before->edge, &before->messages}}, cache);
    model.forward({.embeddings = model.embed(request.sender_ids[i]), .logits = llm::LogitRows::kNone}, cache);
    const bool last = i + 1 == request.sender_ids.size();
    OutboundEdge edge{.spec = request.edge,
                      .receiver = receiver,
                      .carries_sink = request.chain || i == 0,
                      .scores = {}};
    edge.spec.from = sender_name(i);
    edge.spec.to = "receiver";
    if (request.chain && !last) {
      edge.spec.layers.kind = wire::LayerChoice::Kind::kAll;
      edge.spec.forward = true;
      edge.receiver = llm::manifest_of(model.config());
    }
    Carried now{{edge.spec, llm::manifest_of(model.config())}, send_kv(edge, model, cache, bytes)};
    if (request.chain && !last) before = std::move(now);
    else carried.push_back(std::move(now));
  }
  return carried;
}

at::Tensor send_activation(const llm::Model& model, const ExchangeRequest& request, std::uint64_t& bytes) {
  llm::KvCache cache = model.make_cache(1);
  const auto output = model.forward({.embeddings = model.embed(request.sender_ids.front()),
                                     .logits = llm::LogitRows::kNone,
                                     .capture_layers = {request.edge.from_layer}},
                                    cache);
  wire::EdgeSpec spec = request.edge;
  spec.from = sender_name(0);
  spec.to = "receiver";
  const wire::Manifest manifest = llm::manifest_of(model.config());
  Wire wire(spec, manifest);
  wire.carry(kvcodec::encode_tensor(output.captured.front(), "state", envelope_of(spec, manifest, 0, 1)));
  bytes += wire.bytes();
  return kvcodec::decode_tensor(wire.arrived().front(), "state");
}

}  // namespace

ExchangeResult exchange(const llm::Model& sender, const llm::Model& receiver, const ExchangeRequest& request) {
  if (request.sender_ids.empty() || request.receiver_ids.empty())
    fail_input("an exchange needs at least one token of a sender and of the receiver");
  const wire::Manifest receiver_manifest = llm::manifest_of(receiver.config());
  refuse_unfit(llm::manifest_of(sender.config()), receiver_manifest, request);

  ExchangeResult result;
  llm::KvCache cache = receiver.make_cache(static_cast<std::int64_t>(request.receiver_ids.size()));
  llm::ForwardInput input{.embeddings = receiver.embed(request.receiver_ids), .logits = llm::LogitRows::kAll};
  std::vector<Carried> carried;
  std::vector<llm::AttentionMeter> meters;
  if (request.edge.medium == wire::Medium::kActivation) {
    input.injections.push_back({.layer = request.edge.to_layer,
                                .state = send_activation(sender, request, result.bytes),
                                .combine = request.edge.combine});
  } else {
    carried = run_kv_senders(sender, receiver_manifest, request, result.bytes);
    std::vector<KvArrival> arrivals;
    for (const Carried& edge : carried) arrivals.push_back({&edge.edge, &edge.messages});
    for (std::vector<llm::RowRange>& ranges : place_kv(receiver, arrivals, cache)) {
      for (llm::RowRange& range : ranges) range.begin = std::max<std::int64_t>(range.begin, 1);
      meters.emplace_back(std::move(ranges));
    }
    for (llm::AttentionMeter& meter : meters) input.meters.push_back(&meter);
  }
  result.logits = receiver.forward(input, cache).logits;
  if (request.edge.medium == wire::Medium::kKv && request.edge.layers.kind == wire::LayerChoice::Kind::kAll)
    for (const llm::AttentionMeter& meter : meters) result.scores.push_back(meter.scores());
  if (request.max_tokens > 0)
    result.greedy = llm::generate(receiver, cache, result.logits,
                                  {.max_tokens = request.max_tokens, .stop_tokens = request.stop_tokens});
  return result;
}

ExpectedEmbeddings sender_embeddings(const llm::Model& sender, const wire::Manifest& receiver,
                                     const ExchangeRequest& request) {
  const wire::Manifest manifest = llm::manifest_of(sender.config());
  ExchangeRequest own = request;
  own.receiver_ids.clear();
  refuse_unfit(manifest, receiver, own);
  refuse_too_long(cat("the sender's tokens and up to ", request.max_tokens, " to generate"),
                  static_cast<std::int64_t>(request.sender_ids.front().size()) + request.max_tokens, manifest);
  llm::KvCache cache = sender.make_cache(1);
  const auto output = sender.forward({.embeddings = sender.embed(request.sender_ids.front())}, cache);
  return generate_embeddings(sender, cache, output.logits,
                             {.temperature = request.edge.temperature,
                              .max_steps = request.max_tokens,
                              .stop_tokens = request.stop_tokens});
}

}  // namespace kvmesh::agents
