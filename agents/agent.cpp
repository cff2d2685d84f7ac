#include "agents/agent.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

constexpr std::size_t kClosedRemembered = 64;

/// The request that a message names, where that much of it can be read.
std::optional<std::string> request_of(const std::vector<OwnedBytes>& frames) {
  if (frames.empty()) return std::nullopt;
  try {
    return wire::decode_envelope(frames.front()).request;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

Agent::Agent(Wiring wiring, ReceiveOptions options)
    : wiring_(std::move(wiring)), receiving_{.wiring = wiring_, .options = std::move(options)} {}

ReceivingRequest& Agent::open(const std::string& request) {
  return requests_.try_emplace(request, receiving_, request).first->second;
}

bool Agent::has_room_before_task(const std::string& request) const {
  const auto early =
      std::count_if(requests_.begin(), requests_.end(), [](const auto& r) { return !r.second.has_task(); });
  return requests_.contains(request) || static_cast<std::size_t>(early) < kMaxEarlyRequests;
}

void Agent::close(const std::string& request) {
  const std::string name = request;  // which may be the erased one's
  requests_.erase(name);
  if (closed(name)) return;
  closed_.push_back(name);
  if (closed_.size() > kClosedRemembered) closed_.pop_front();
}

bool Agent::closed(const std::string& request) const {
  return std::find(closed_.begin(), closed_.end(), request) != closed_.end();
}

Error Agent::named(std::size_t edge, const Error& error) const {
  return Error(error.kind(), cat("edge ", wire::describe(wiring_.inbound.at(edge).spec), ": ", error.what()));
}

Agent::Outcome Agent::on_task(bus::Task task, Clock::time_point now) {
  const std::string name = task.request;
  Outcome outcome;
  if (closed(name)) return outcome;
  ReceivingRequest& request = open(name);
  request.on_task(std::move(task), now);
  for (const auto& [edge, error] : std::exchange(unread_, {})) {
    if (request.received(edge) > 0) continue;
    fail(name, error, outcome.failures);
    return outcome;
  }
  outcome.turn = request.begin(now);
  return outcome;
}

Agent::Outcome Agent::on_message(std::size_t edge, const std::vector<OwnedBytes>& frames, Clock::time_point now) {
  wire::WireMessage message;
  try {
    message = wire::read_message(frames);
  } catch (const Error& error) {
    return refuse_unreadable(edge, frames, error);
  }
  const std::string name = message.envelope.request;
  Outcome outcome;
  if (closed(name)) return outcome;
  try {
    if (!has_room_before_task(name))
      throw named(edge, Error(ErrorKind::kReconnect, cat("messages of ", kMaxEarlyRequests,
                                                         " requests came before their tasks; ", name, " is refused")));
    ReceivingRequest& request = open(name);
    outcome.back = request.on_message(edge, std::move(message));
    outcome.turn = request.begin(now);
  } catch (const Error& error) {
    fail(name, error, outcome.failures);
  }
  return outcome;
}

Agent::Outcome Agent::refuse_unreadable(std::size_t edge, const std::vector<OwnedBytes>& frames, const Error& error) {
  const std::optional<std::string> request = request_of(frames);
  if (!request) return on_damage(edge, error);
  Outcome outcome;
  if (!closed(*request)) fail(*request, error, outcome.failures);
  return outcome;
}

Agent::Outcome Agent::on_damage(std::size_t edge, const Error& error) {
  std::vector<std::string> waiting;
  for (const auto& [name, request] : requests_)
    if (request.waits_on(edge)) waiting.push_back(name);
  if (waiting.empty()) unread_.insert_or_assign(edge, named(edge, error));
  Outcome outcome;
  for (const std::string& name : waiting) fail(name, named(edge, error), outcome.failures);
  return outcome;
}

Agent::Outcome Agent::on_renewed(std::size_t edge) {
  std::vector<std::string> waiting;
  for (const auto& [name, request] : requests_)
    if (request.waits_on(edge) && (request.has_task() || request.received(edge) > 0)) waiting.push_back(name);
  Outcome outcome;
  for (const std::string& name : waiting) {
    const std::string reason = cat("edge ", wire::describe(wiring_.inbound.at(edge).spec), ", request \"", name,
                                   "\": its connection broke after ", requests_.at(name).received(edge),
                                   requests_.at(name).received(edge) == 1 ? " message" : " messages",
                                   " and was made anew; what was under way is lost; run the record again");
    fail(name, Error(ErrorKind::kRetry, reason), outcome.failures);
  }
  return outcome;
}

/// Also before its task has come: the orchestrator has sent that.
void Agent::fail(const std::string& name, const Error& error, std::vector<Failure>& failures) {
  Failure& failure = failures.emplace_back(Failure{.request = name, .kind = error.kind(), .reason = error.what()});
  if (const auto found = requests_.find(name); found != requests_.end()) {
    failure.turn_tells = found->second.begun();
    found->second.fail(error);
  }
  close(name);
}

wire::Held Agent::on_offer(std::size_t edge, const wire::Offer& offer) {
  if (closed(offer.request) || !has_room_before_task(offer.request)) return {offer.request, {}};
  return open(offer.request).on_offer(edge, offer);
}

void Agent::on_cancel(const std::string& request) {
  if (const auto found = requests_.find(request); found != requests_.end()) found->second.cancel();
  close(request);
}

void Agent::on_turn_end(const std::string& request) { close(request); }

void Agent::on_scores(const bus::EdgeScores& scores) {
  bool found = false;
  for (OutboundEdge& edge : wiring_.outbound) {
    if (edge.spec.medium != wire::Medium::kKv || edge.spec.to != scores.to || edge.spec.from != scores.from) continue;
    edge.measured = {.importances = scores.scores, .best_sets = {}, .heads = scores.heads};
    edge.chosen_wire = wire::find_wire_dtype(scores.wire).value_or(wire::WireDtype::kSame);
    for (const bus::SharedLayers& set : scores.path) edge.measured.best_sets.push_back(set.layers);
    found = true;
  }
  if (!found)
    throw Error(ErrorKind::kGiveUp,
                cat("scores came for edge ", scores.from, " -> ", scores.to, ", which is not ours"));
}

std::vector<Agent::Failure> Agent::expire(Clock::time_point now) {
  std::vector<std::string> late;
  for (const auto& [name, request] : requests_)
    if (const auto deadline = request.deadline(); deadline && deadline->expired(now)) late.push_back(name);
  std::vector<Failure> failures;
  for (const std::string& name : late)
    fail(name, Error(ErrorKind::kRetry, cat("the deadline passed while waiting for ", requests_.at(name).missing())),
         failures);
  return failures;
}

std::optional<Agent::Clock::time_point> Agent::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const auto& [name, request] : requests_)
    if (const auto deadline = request.deadline(); deadline && (!next || deadline->when() < *next))
      next = deadline->when();
  return next;
}

void Agent::fail_all(const Error& error) {
  for (auto& [name, request] : requests_) request.fail(error);
}

}  // namespace kvmesh::agents
