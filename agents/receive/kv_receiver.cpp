#include "agents/receive/kv_receiver.hpp"

#include <utility>

#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

void add(Agent::Outcome from, KvReceiver::Outcome& to) {
  if (from.turn) to.turn = std::move(from.turn);  // a request's messages begin its turn once
  to.failures.insert(to.failures.end(), from.failures.begin(), from.failures.end());
}

}  // namespace

KvReceiver::KvReceiver(const llm::Model& model, Agent& agent, Options options)
    : model_(model),
      agent_(agent),
      options_(std::move(options)),
      intake_(options_.keep_bytes, static_cast<int>(model.config().num_hidden_layers)) {}

KvReceiver::Outcome KvReceiver::on_message(std::size_t edge, std::span<const OwnedBytes> frames,
                                           Clock::time_point now) {
  Outcome outcome;
  wire::WireMessage message;
  try {
    message = wire::read_message(frames);
  } catch (const Error& error) {
    add(agent_.on_damage(edge, error), outcome);
    return outcome;
  }
  const std::string request = message.envelope.request;
  auto next = intake_.on_message(edge, std::move(message));
  for (; next; next = intake_.next(edge, request)) take_in(edge, *next, now, outcome);
  return outcome;
}

void KvReceiver::take_in(std::size_t edge, const KvIntake::Incoming& incoming, Clock::time_point now,
                         Outcome& outcome) {
  const wire::Envelope& envelope = incoming.message.envelope;
  if (!admit(edge, envelope, outcome)) return;
  try {
    place(edge, incoming);
  } catch (const wire::DamagedMessage& damage) {
    return repair(edge, envelope, damage, outcome);
  } catch (const Error& error) {
    return give_up(envelope.request, error, outcome);
  }
  add(agent_.on_rows(edge, envelope, now), outcome);
  const bool borrowed = !options_.borrows.empty() && options_.borrows.at(edge);
  if (const auto done = intake_.on_placed(edge, incoming.message, borrowed)) outcome.back.emplace_back(*done);
}

bool KvReceiver::admit(std::size_t edge, const wire::Envelope& envelope, Outcome& outcome) {
  try {
    return agent_.awaits(edge, envelope);
  } catch (const Error& error) {
    add(agent_.on_refused(edge, envelope.request, error), outcome);
    return false;
  }
}

void KvReceiver::place(std::size_t edge, const KvIntake::Incoming& incoming) {
  const wire::WireMessage& message = incoming.message;
  auto kept = intake_.kept_rows(edge, message.envelope);
  KvArrivals& arrivals = *open(message.envelope.request).arrivals;
  if (kept) arrivals.place(edge, message.envelope, std::move(*kept));
  else if (incoming.checked) arrivals.place(edge, message.envelope, {message});
  else arrivals.place(edge, message);
}

void KvReceiver::repair(std::size_t edge, const wire::Envelope& envelope, const Error& damage, Outcome& outcome) {
  switch (intake_.on_damage(edge, envelope)) {
    case KvIntake::Repair::kAskAgain:
      outcome.back.emplace_back(wire::Again{envelope.request, envelope.sequence});
      return;
    case KvIntake::Repair::kAskedAgain:
      return give_up(envelope.request, Error(damage.kind(), cat(damage.what(), "; it had been asked for again")),
                     outcome);
    case KvIntake::Repair::kNone: return add(agent_.on_refused(edge, envelope.request, damage), outcome);
  }
}

void KvReceiver::give_up(const std::string& request, const Error& error, Outcome& outcome) {
  agent_.on_cancel(request);
  outcome.failures.push_back({request, error.kind(), error.what()});
}

KvReceiver::Request& KvReceiver::open(const std::string& request) {
  Request& found = requests_[request];
  if (!found.arrivals) found.arrivals = std::make_shared<KvArrivals>(model_, agent_.wiring(), options_.room);
  return found;
}

std::shared_ptr<KvArrivals> KvReceiver::begin(const std::string& request) {
  if (!options_.room && !requests_.contains(request)) return nullptr;
  Request& found = open(request);
  found.begun = true;
  return found.arrivals;
}

bool KvReceiver::fail(const std::string& request, const Error& error) {
  intake_.on_end(request);
  const auto found = requests_.find(request);
  if (found == requests_.end()) return false;
  found->second.arrivals->fail(error);
  const bool begun = found->second.begun;
  requests_.erase(found);
  return begun;
}

void KvReceiver::on_turn_end(const std::string& request) {
  intake_.on_end(request);
  requests_.erase(request);
}

void KvReceiver::fail_all(const Error& error) {
  for (auto& [name, request] : requests_) request.arrivals->fail(error);
}

}  // namespace kvmesh::agents
