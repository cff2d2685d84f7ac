#include "agents/exchange.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <optional>
#include <utility>

#include "agents/media/activation.hpp"
#include "agents/media/kv_placer.hpp"
#include "agents/outbox.hpp"
#include "base/error.hpp"
#include "kvcodec/reassembly.hpp"
#include "kvcodec/wire/edge_fit.hpp"
#include "llm/decode/generate.hpp"

namespace kvmesh::agents {
namespace {

using Messages = std::vector<wire::WireMessage>;

std::string sender_name(std::size_t index) { return cat("sender", index + 1); }

/// The bus between the two ends of one edge: the messages that `send` makes, as a turn makes them, encoded, decoded and
/// checked. `before`: a kv edge into the sender; null: none.
Messages carry(const llm::Model& model, const OutboundEdge& edge, const InboundEdge* before, std::uint64_t& bytes,
               const std::function<void(Outbox&)>& send) {
  Wiring wiring{.mesh = "exchange", .inbound = {}, .outbound = {edge}};
  if (before) wiring.inbound.push_back(*before);
  bus::Task task;
  task.request = "1";
  kvcodec::Reassembly inbox({wiring.mesh, edge.spec.from, edge.spec.to, edge.spec.medium, task.request,
                             llm::manifest_of(model.config()).hash()});
  const Outbox::Publish publish = [&](std::size_t, const wire::UnsealedMessage& message) {
    const std::vector<OwnedBytes> frames = message.sealed();
    bytes += total_size(frames);
    inbox.feed(wire::decode_message(frames));
  };
  const KvReuse nothing_is_kept;
  Outbox outbox(model, wiring, task, publish, nothing_is_kept);
  send(outbox);
  return inbox.take();
}

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

Messages send_kv(const OutboundEdge& edge, const InboundEdge* before, const llm::Model& model,
                 const llm::KvCache& cache, std::uint64_t& bytes) {
  const std::int64_t own_rows = cache.layer(0).length() - cache.layer(0).shared_rows;
  return carry(model, edge, before, bytes, [&](Outbox& outbox) {
    outbox.plan_kv(wire::Share::kPrompt, cache, own_rows);
    for (int layer = 0; layer < cache.layers(); ++layer)
      outbox.send_layer(layer, cache.layer(layer), wire::Share::kPrompt);
    outbox.finish_layers();
  });
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
    OutboundEdge edge{.spec = request.edge, .receiver = receiver, .carries_sink = request.chain || i == 0};
    edge.spec.from = sender_name(i);
    edge.spec.to = "receiver";
    edge.spec.share = wire::Share::kPrompt;
    if (request.chain && !last) {
      edge.spec.layers.kind = wire::LayerChoice::Kind::kAll;
      edge.spec.forward = true;
      edge.receiver = llm::manifest_of(model.config());
    }
    Carried now{{edge.spec, llm::manifest_of(model.config())},
                send_kv(edge, before ? &before->edge : nullptr, model, cache, bytes)};
    if (request.chain && !last) before = std::move(now);
    else carried.push_back(std::move(now));
  }
  return carried;
}

llm::Injection send_activation(const llm::Model& model, const wire::Manifest& receiver, const ExchangeRequest& request,
                               std::uint64_t& bytes) {
  llm::KvCache cache = model.make_cache(1);
  const auto output = model.forward({.embeddings = model.embed(request.sender_ids.front()),
                                     .logits = llm::LogitRows::kNone,
                                     .capture_layers = {request.edge.from_layer}},
                                    cache);
  OutboundEdge edge{.spec = request.edge, .receiver = receiver, .carries_sink = true};
  edge.spec.from = sender_name(0);
  edge.spec.to = "receiver";
  const Messages messages = carry(model, edge, /*before=*/nullptr, bytes,
                                  [&](Outbox& outbox) { outbox.send_tensor(0, output.captured.front(), "state"); });
  return injection_of({edge.spec, llm::manifest_of(model.config())}, messages.front());
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
    input.injections.push_back(send_activation(sender, receiver_manifest, request, result.bytes));
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
