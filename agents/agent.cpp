#include "agents/agent.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

constexpr std::size_t kClosedRemembered = 64;

kvcodec::ExpectedMessages expected(const Wiring& wiring, const InboundEdge& edge, const std::string& request) {
  return {wiring.mesh, edge.spec.from, edge.spec.to, edge.spec.medium, request, edge.sender.hash()};
}

}  // namespace

Agent::Agent(Wiring wiring) : wiring_(std::move(wiring)) {}

Agent::Request& Agent::open(const std::string& request) {
  auto [found, fresh] = requests_.try_emplace(request);
  if (fresh)
    for (const InboundEdge& edge : wiring_.inbound) found->second.inbox.emplace_back(expected(wiring_, edge, request));
  return found->second;
}

void Agent::close(const std::string& request) {
  requests_.erase(request);
  closed_.push_back(request);
  if (closed_.size() > kClosedRemembered) closed_.pop_front();
}

bool Agent::closed(const std::string& request) const {
  return std::find(closed_.begin(), closed_.end(), request) != closed_.end();
}

Agent::Outcome Agent::on_task(bus::Task task, Clock::time_point now) {
  if (closed(task.request)) return {};
  const std::string name = task.request;
  Request& request = open(name);
  request.received_at = now;
  if (task.deadline_ms > 0) request.deadline = Deadline::after(std::chrono::milliseconds(task.deadline_ms), now);
  request.task = std::move(task);
  return begin_if_ready(name, now);
}

Agent::Outcome Agent::on_message(std::size_t edge, const std::vector<OwnedBytes>& frames, Clock::time_point now) {
  std::string name;
  try {
    wire::WireMessage message = wire::read_message(frames);
    name = message.envelope.request;
    if (!awaits(edge, message.envelope)) return {};
    wire::check_payload(message);
    open(name).inbox.at(edge).feed(std::move(message));
    return begin_if_ready(name, now);
  } catch (const Error& error) {
    return fail_waiting(edge, error, name);
  }
}

bool Agent::awaits(std::size_t edge, const wire::Envelope& envelope) const {
  const std::string& name = envelope.request;
  if (closed(name)) return false;
  if (const auto found = requests_.find(name); found != requests_.end()) {
    found->second.inbox.at(edge).check(envelope);
    return true;
  }
  const InboundEdge& from = wiring_.inbound.at(edge);
  const auto early = std::count_if(requests_.begin(), requests_.end(), [](auto& r) { return !r.second.task; });
  if (static_cast<std::size_t>(early) >= kMaxEarlyRequests)
    throw Error(ErrorKind::kReconnect, cat("edge ", wire::describe(from.spec), ": messages of ", early,
                                           " requests came before their tasks; ", name, " is refused"));
  kvcodec::Reassembly(expected(wiring_, from, name)).check(envelope);
  return true;
}

Agent::Outcome Agent::on_rows(std::size_t edge, const wire::Envelope& envelope, Clock::time_point now) {
  open(envelope.request).inbox.at(edge).note(envelope);
  return begin_if_ready(envelope.request, now);
}

Agent::Outcome Agent::on_refused(std::size_t edge, const std::string& request, const Error& error) {
  return fail_waiting(edge, error, request);
}

Agent::Outcome Agent::on_damage(std::size_t edge, const Error& error) {
  return fail_waiting(edge,
                      Error(error.kind(),
                            cat("edge ", wire::describe(wiring_.inbound.at(edge).spec), ": ", error.what())),
                      /*named=*/"");
}

Agent::Outcome Agent::on_renewed(std::size_t edge) {
  Outcome outcome;
  for (const auto& [name, request] : requests_) {
    if (!request.task || request.inbox.at(edge).complete()) continue;
    outcome.failures.push_back(
        {name, ErrorKind::kRetry,
         cat("edge ", wire::describe(wiring_.inbound.at(edge).spec), ", request \"", name, "\": its connection broke ",
             "after ", request.inbox[edge].received(), " messages and was made anew; what was under way is lost; run ",
             "the record again")});
  }
  for (const Failure& failure : outcome.failures) close(failure.request);
  return outcome;
}

/// Whom a bad message hurts. `named`: the request that it says it is of, if that could be read.
Agent::Outcome Agent::fail_waiting(std::size_t edge, const Error& error, const std::string& named) {
  const auto waits = [&](const Request& request) { return request.task && !request.inbox.at(edge).complete(); };
  const auto found = requests_.find(named);
  const bool known = found != requests_.end() && waits(found->second);
  Outcome outcome;
  for (const auto& [name, request] : requests_)
    if (known ? name == named : waits(request)) outcome.failures.push_back({name, error.kind(), error.what()});
  if (outcome.failures.empty()) throw Error(error.kind(), error.what());
  for (const Failure& failure : outcome.failures) close(failure.request);
  return outcome;
}

Agent::Outcome Agent::begin_if_ready(const std::string& name, Clock::time_point now) {
  Request& request = requests_.at(name);
  if (!request.task) return {};
  bool complete = true;
  for (std::size_t i = 0; i < request.inbox.size(); ++i) {
    const bool kv = wiring_.inbound[i].spec.medium == wire::Medium::kKv;
    if (kv ? request.inbox[i].received() == 0 : !request.inbox[i].complete()) return {};
    complete = complete && request.inbox[i].complete();
  }
  Outcome outcome;
  if (!request.begun) {
    outcome.turn = Turn{.task = *request.task,
                        .inbox = {},
                        .kv = nullptr,
                        .received_at = request.received_at,
                        .complete_at = now,
                        .deadline = request.deadline};
    for (kvcodec::Reassembly& edge : request.inbox) outcome.turn->inbox.push_back(edge.take());
    request.begun = true;
  }
  if (complete) close(name);
  return outcome;
}

void Agent::on_cancel(const std::string& request) { close(request); }

void Agent::on_turn_end(const std::string& request) {
  if (!closed(request)) close(request);
}

void Agent::on_scores(const bus::EdgeScores& scores) {
  bool found = false;
  for (OutboundEdge& edge : wiring_.outbound) {
    if (edge.spec.medium != wire::Medium::kKv || edge.spec.to != scores.to || edge.spec.from != scores.from) continue;
    edge.scores = scores.scores;
    found = true;
  }
  if (!found)
    throw Error(ErrorKind::kGiveUp,
                cat("scores came for edge ", scores.from, " -> ", scores.to, ", which is not ours"));
}

std::vector<Agent::Failure> Agent::expire(Clock::time_point now) {
  std::vector<Failure> failures;
  for (auto& [name, request] : requests_) {
    if (!request.deadline || !request.deadline->expired(now)) continue;
    std::string missing;
    for (std::size_t i = 0; i < request.inbox.size(); ++i)
      if (!request.inbox[i].complete())
        missing += cat(missing.empty() ? "" : ", ", wire::describe(wiring_.inbound[i].spec), " (",
                       request.inbox[i].received(), " of ", request.inbox[i].count(), " messages came)");
    failures.push_back({name, ErrorKind::kRetry, cat("the deadline passed while waiting for ", missing)});
  }
  for (const Failure& failure : failures) close(failure.request);
  return failures;
}

std::optional<Agent::Clock::time_point> Agent::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const auto& [name, request] : requests_)
    if (request.deadline && (!next || request.deadline->when() < *next)) next = request.deadline->when();
  return next;
}

}  // namespace kvmesh::agents
