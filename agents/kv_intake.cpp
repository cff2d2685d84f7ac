#include "agents/kv_intake.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::agents {
namespace {

/// Gives a message that has to wait memory of its own: its frames may be memory that the sender needs for what we wait
/// for.
void detach(wire::WireMessage& message) {
  for (OwnedBytes& frame : message.payload) frame = OwnedBytes::from_string(std::string(frame.text()));
}

}  // namespace

wire::Held KvIntake::on_offer(std::size_t edge, const wire::Offer& offer) {
  if (!find(edge, offer.request)) {
    if (open_.size() >= kvcodec::KeptBlocks::kMostOffers) open_.pop_front();
    open_.push_back({.edge = edge, .request = offer.request, .awaited = {}, .behind = {}});
  }
  return kept_.offered(edge, offer, layers_);
}

KvIntake::Open* KvIntake::find(std::size_t edge, const std::string& request) {
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](const Open& one) { return one.edge == edge && one.request == request; });
  return found == open_.end() ? nullptr : &*found;
}

KvIntake::Outcome KvIntake::on_message(std::size_t edge, std::span<const OwnedBytes> frames) {
  wire::WireMessage message = wire::read_message(frames);
  Outcome outcome;
  outcome.request = message.envelope.request;
  if (Open* open = find(edge, outcome.request)) {
    feed(*open, std::move(message), outcome);
  } else {  // over, or nothing was offered: who takes it sees what it is
    wire::check_payload(message);
    outcome.ready.push_back({std::move(message), std::nullopt});
  }
  return outcome;
}

void KvIntake::feed(Open& open, wire::WireMessage message, Outcome& outcome) {
  const wire::Envelope envelope = message.envelope;
  if (open.awaited && *open.awaited != envelope.sequence) {
    detach(message);
    open.behind.push_back(std::move(message));
    return;
  }
  try {
    outcome.ready.push_back(whole(open.edge, std::move(message)));
  } catch (const Error& error) {
    if (open.awaited) {
      outcome.failure.emplace(error.kind(), cat(error.what(), "; it had been asked for again"));
      return;
    }
    open.awaited = envelope.sequence;
    outcome.back.push_back(wire::Again{envelope.request, envelope.sequence});
    return;
  }
  if (envelope.sequence + 1 == envelope.count) outcome.back.push_back(wire::Done{envelope.request});
  if (!open.awaited) return;
  open.awaited.reset();
  for (std::deque<wire::WireMessage> behind = std::exchange(open.behind, {}); !behind.empty(); behind.pop_front())
    feed(open, std::move(behind.front()), outcome);
}

KvIntake::Ready KvIntake::whole(std::size_t edge, wire::WireMessage message) {
  const wire::Envelope& envelope = message.envelope;
  if (envelope.kind != wire::Medium::kKv || envelope.encoding != wire::Encoding::kKept) {
    wire::check_payload(message);
    return {std::move(message), std::nullopt};
  }
  std::optional<std::vector<wire::WireMessage>> rows = kept_.take(edge, envelope);
  if (!rows)
    throw Error(ErrorKind::kReconnect, cat("edge ", envelope.from, " -> ", envelope.to, " (kv), request \"",
                                           envelope.request, "\", message ", envelope.sequence, " of ", envelope.count,
                                           ", layer ", envelope.layer, ": it refers to rows that are not kept here"));
  return {std::move(message), std::move(rows)};
}

void KvIntake::on_placed(std::size_t edge, const wire::WireMessage& message, bool borrowed) {
  kept_.keep(edge, message, borrowed);
}

void KvIntake::on_end(const std::string& request) {
  kept_.release(request);
  std::erase_if(open_, [&](const Open& one) { return one.request == request; });
}

}  // namespace kvmesh::agents
