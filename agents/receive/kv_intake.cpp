#include "agents/receive/kv_intake.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::agents {

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

std::optional<KvIntake::Incoming> KvIntake::on_message(std::size_t edge, wire::WireMessage message) {
  Open* open = find(edge, message.envelope.request);
  if (!open || !open->awaited || *open->awaited == message.envelope.sequence) return Incoming{std::move(message)};
  const bool whole = wire::detach(message) == message.envelope.checksum;
  open->behind.push_back({std::move(message), whole});  // one that is not is found out when its turn has come
  return std::nullopt;
}

std::optional<KvIntake::Incoming> KvIntake::next(std::size_t edge, const std::string& request) {
  Open* open = find(edge, request);
  if (!open || open->awaited || open->behind.empty()) return std::nullopt;
  Incoming first = std::move(open->behind.front());
  open->behind.pop_front();
  return first;
}

std::optional<std::vector<wire::WireMessage>> KvIntake::kept_rows(std::size_t edge, const wire::Envelope& envelope) {
  if (envelope.kind != wire::Medium::kKv || envelope.encoding != wire::Encoding::kKept || !find(edge, envelope.request))
    return std::nullopt;
  std::optional<std::vector<wire::WireMessage>> rows = kept_.take(edge, envelope);
  if (rows) return rows;
  throw wire::DamagedMessage(cat("edge ", envelope.from, " -> ", envelope.to, " (kv), request \"", envelope.request,
                                 "\", message ", envelope.sequence, " of ", envelope.count, ", layer ", envelope.layer,
                                 ": it refers to rows that are not kept here"));
}

std::optional<wire::Done> KvIntake::on_placed(std::size_t edge, const wire::WireMessage& message, bool borrowed) {
  const wire::Envelope& envelope = message.envelope;
  Open* open = find(edge, envelope.request);
  if (!open) return std::nullopt;
  kept_.keep(edge, message, borrowed);
  open->awaited.reset();
  if (envelope.sequence + 1 < envelope.count) return std::nullopt;
  return wire::Done{envelope.request};
}

KvIntake::Repair KvIntake::on_damage(std::size_t edge, const wire::Envelope& envelope) {
  Open* open = find(edge, envelope.request);
  if (!open) return Repair::kNone;
  if (open->awaited) return Repair::kAskedAgain;
  open->awaited = envelope.sequence;
  return Repair::kAskAgain;
}

void KvIntake::on_end(const std::string& request) {
  kept_.release(request);
  std::erase_if(open_, [&](const Open& one) { return one.request == request; });
}

}  // namespace kvmesh::agents
