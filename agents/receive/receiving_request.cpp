#include "agents/receive/receiving_request.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::agents {

ReceivingRequest::ReceivingRequest(Receiving& common, std::string name) : common_(common), name_(std::move(name)) {
  const Wiring& wiring = common_.wiring;
  for (const InboundEdge& edge : wiring.inbound)
    edges_.push_back({.inbox = kvcodec::Reassembly(
                          {wiring.mesh, edge.spec.from, edge.spec.to, edge.spec.medium, name_, edge.sender.hash()}),
                      .promise = {},
                      .awaited = {},
                      .behind = {}});
}

bool ReceivingRequest::is_kv(std::size_t edge) const {
  return common_.wiring.inbound.at(edge).spec.medium == wire::Medium::kKv;
}

void ReceivingRequest::on_task(bus::Task task, Clock::time_point now) {
  received_at_ = now;
  if (task.deadline_ms > 0) deadline_ = Deadline::after(std::chrono::milliseconds(task.deadline_ms), now);
  task_ = std::move(task);
}

wire::Held ReceivingRequest::on_offer(std::size_t edge, const wire::Offer& offer) {
  Edge& ours = edges_.at(edge);
  if (!ours.promise && common_.options.model)
    ours.promise.emplace(
        common_.kept.promise(edge, offer, static_cast<int>(common_.options.model->config().num_hidden_layers)));
  return {name_, ours.promise ? ours.promise->held() : std::vector<std::int64_t>()};
}

std::vector<wire::Back> ReceivingRequest::on_message(std::size_t number, wire::WireMessage message) {
  if (begun_ && whole()) return {};  // its repetition came too late to be needed
  std::vector<wire::Back> back;
  Edge& edge = edges_.at(number);
  if (!is_kv(number)) {
    take_text(number, std::move(message));
  } else if (edge.awaited && *edge.awaited != message.envelope.sequence) {
    wait_behind(number, std::move(message));
  } else {
    take_rows(number, {std::move(message)}, back);
    while (!edge.awaited && !edge.behind.empty()) {
      const Waiting next = std::move(edge.behind.front());
      edge.behind.pop_front();
      take_rows(number, next.incoming, back);
    }
  }
  return back;
}

ByteBudget::Claim ReceivingRequest::claim(std::size_t edge, const wire::WireMessage& message) {
  const std::size_t bytes = total_size(message.payload);
  if (std::optional<ByteBudget::Claim> claim = common_.waiting.claim(bytes)) return std::move(*claim);
  throw Error(ErrorKind::kRetry,
              cat("edge ", wire::describe(common_.wiring.inbound[edge].spec), ", request \"", name_, "\": ", bytes,
                  " bytes came that have to wait, and ", common_.waiting.used(), " of the ", common_.waiting.limit(),
                  " bytes that may wait are taken; run fewer records at a time"));
}

void ReceivingRequest::wait_behind(std::size_t edge, wire::WireMessage message) {
  ByteBudget::Claim room = claim(edge, message);
  const bool whole = wire::detach(message) == message.envelope.checksum;
  // One that is not whole is found out when its turn has come.
  edges_[edge].behind.push_back({{std::move(message), whole}, std::move(room)});
}

/// A message of any medium but kv.
void ReceivingRequest::take_text(std::size_t number, wire::WireMessage message) {
  Edge& edge = edges_[number];
  edge.inbox.check(message.envelope);
  wire::check_payload(message);
  early_.push_back(claim(number, message));
  edge.inbox.feed(std::move(message));
}

void ReceivingRequest::take_rows(std::size_t number, const Incoming& incoming, std::vector<wire::Back>& back) {
  Edge& edge = edges_[number];
  const wire::Envelope& envelope = incoming.message.envelope;
  edge.inbox.check(envelope);
  if (!begun_) early_.push_back(claim(number, incoming.message));
  try {
    place(number, incoming);
  } catch (const wire::DamagedMessage& damage) {
    if (!begun_) early_.pop_back();
    back.emplace_back(ask_again(edge, envelope, damage));
    return;
  }
  edge.inbox.note(envelope);
  edge.awaited.reset();
  if (!edge.promise) return;
  const std::vector<bool>& borrows = common_.options.borrows;
  common_.kept.keep(*edge.promise, incoming.message, !borrows.empty() && borrows.at(number));
  if (edge.inbox.complete()) back.emplace_back(wire::Done{name_});
}

void ReceivingRequest::place(std::size_t number, const Incoming& incoming) {
  const Edge& edge = edges_[number];
  const wire::WireMessage& message = incoming.message;
  const wire::Envelope& envelope = message.envelope;
  if (envelope.encoding == wire::Encoding::kKept && edge.promise) {
    std::optional<std::vector<wire::WireMessage>> rows = common_.kept.take(*edge.promise, envelope);
    if (!rows)
      throw wire::DamagedMessage(cat("edge ", envelope.from, " -> ", envelope.to, " (kv), request \"", name_,
                                     "\", message ", envelope.sequence, " of ", envelope.count, ", layer ",
                                     envelope.layer, ": it refers to rows that are not kept here"));
    arrivals().place(number, envelope, std::move(*rows));
  } else if (incoming.checked) {
    arrivals().place(number, envelope, {message});
  } else {
    arrivals().place(number, message);
  }
}

/// Once for each message, and where the sender remembers it.
wire::Again ReceivingRequest::ask_again(Edge& edge, const wire::Envelope& envelope,
                                        const wire::DamagedMessage& damage) const {
  if (!edge.promise) throw Error(damage.kind(), damage.what());
  if (edge.awaited) throw Error(damage.kind(), cat(damage.what(), "; it had been asked for again"));
  edge.awaited = envelope.sequence;
  return {name_, envelope.sequence};
}

KvArrivals& ReceivingRequest::arrivals() {
  if (!arrivals_)
    arrivals_ =
        std::make_shared<KvArrivals>(*common_.options.model, common_.wiring, common_.options.room, common_.waiting);
  return *arrivals_;
}

std::optional<Turn> ReceivingRequest::begin(Clock::time_point now) {
  if (begun_ || !task_) return std::nullopt;
  for (std::size_t i = 0; i < edges_.size(); ++i)
    if (is_kv(i) ? received(i) == 0 : waits_on(i)) return std::nullopt;
  begun_ = true;
  early_.clear();
  // Rows that leave from where the cache stands need it there; otherwise the turn makes it, on its own thread.
  if (common_.options.room) arrivals();
  Turn turn{.task = *task_,
            .inbox = {},
            .kv = arrivals_,
            .received_at = received_at_,
            .complete_at = now,
            .deadline = deadline_,
            .abandoned = abandoned_};
  for (Edge& edge : edges_) turn.inbox.push_back(edge.inbox.take());
  return turn;
}

void ReceivingRequest::fail(const Error& error) {
  if (arrivals_) arrivals_->fail(error);
}

void ReceivingRequest::cancel() {
  *abandoned_ = true;
  fail(Error(ErrorKind::kRetry, "the request was cancelled"));
}

bool ReceivingRequest::whole() const {
  return std::all_of(edges_.begin(), edges_.end(), [](const Edge& edge) { return edge.inbox.complete(); });
}

std::optional<Deadline> ReceivingRequest::deadline() const { return begun_ && whole() ? std::nullopt : deadline_; }

std::string ReceivingRequest::missing() const {
  std::string missing;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const kvcodec::Reassembly& inbox = edges_[i].inbox;
    if (!inbox.complete())
      missing += cat(missing.empty() ? "" : ", ", wire::describe(common_.wiring.inbound[i].spec), " (",
                     inbox.received(), " of ", inbox.count(), " messages came)");
  }
  return missing;
}

}  // namespace kvmesh::agents
