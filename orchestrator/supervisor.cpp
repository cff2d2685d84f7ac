#include "orchestrator/supervisor.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "orchestrator/detail/text.hpp"

namespace kvmesh::orchestrator {

Supervisor::Supervisor(const Topology& topology, SupervisorOptions options, Time now)
    : topology_(topology), options_(options), bye_deadline_(Deadline::at(now)) {
  for (const AgentSpec& agent : topology.agents) {
    members_.emplace(agent.name, Member(Deadline::after(options.deadlines.start, now)));
  }
}

std::string describe(const bus::Progress& progress) {
  return cat("layers of ", progress.edge, ": ", progress.percent, "% of the search, about ",
             static_cast<std::int64_t>(std::clamp(progress.left_s, 0.0, 1e9)) + 1, " s left");
}

Actions Supervisor::take() { return std::exchange(actions_, {}); }

std::string Supervisor::name_of(const std::string& name) const {
  const Member& member = members_.at(name);
  return member.pid == 0 ? cat("agent ", name) : cat("agent ", name, " (pid ", member.pid, ")");
}

std::string Supervisor::meanwhile() const {
  std::vector<std::string> ids;
  for (const RunningRecord& record : records_) ids.push_back(record.id());
  if (!ids.empty()) return cat(" while working on record", ids.size() > 1 ? "s " : " ", detail::joined(ids, ", "));
  return phase_ == Phase::kStarting ? " before the mesh was ready" : " between records";
}

bool Supervisor::all(State state) const {
  return std::all_of(members_.begin(), members_.end(), [state](const auto& one) { return one.second.state == state; });
}

std::string Supervisor::without_name(const std::string& name, const std::string& reason) {
  const std::string prefix = cat("agent ", name, ": ");
  return reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason;
}

void Supervisor::send(Member& member, const bus::Control& message, Time now) {
  if (member.peer.empty() || member.state == State::kGone) return;
  actions_.push_back(SendControl{member.peer, message});
  member.liveness->sent(now);
}

Actions Supervisor::on_coming(const std::string& peer, Time now) {
  if (const auto known = agent_of_peer_.find(peer); known != agent_of_peer_.end())
    members_.at(known->second).liveness->heard(now);
  return take();
}

Actions Supervisor::on_message(const std::string& peer, const bus::Control& message, Time now) {
  if (const auto* join = std::get_if<bus::Join>(&message)) {
    handle(peer, *join, now);
    return take();
  }
  const auto known = agent_of_peer_.find(peer);
  if (known == agent_of_peer_.end()) return take();  // refused before, or never joined
  Member& member = members_.at(known->second);
  member.liveness->heard(now);
  if (phase_ != Phase::kFailed && member.state != State::kGone) handle(known->second, member, message, now);
  return take();
}

void Supervisor::handle(const std::string& name, Member& member, const bus::Control& message, Time now) {
  if (std::holds_alternative<bus::Heartbeat>(message)) return;
  if (const auto* hello = std::get_if<bus::Hello>(&message)) return on_hello(name, member, *hello, now);
  if (const auto* result = std::get_if<bus::Result>(&message)) return on_result(name, *result, now);
  if (const auto* error = std::get_if<bus::TaskError>(&message)) return on_task_error(name, *error, now);
  if (const auto* lost = std::get_if<bus::Lost>(&message)) return on_lost(name, *lost, now);
  if (std::holds_alternative<bus::Bye>(message)) return on_bye(name, member, now);
  if (const auto* progress = std::get_if<bus::Progress>(&message)) return on_progress(*progress, now);
  if (const auto* ready = std::get_if<bus::Ready>(&message); ready != nullptr && member.state == State::kEdgesSent) {
    return on_ready(name, member, *ready);
  }
  if (const auto* failed = std::get_if<bus::Failed>(&message)) {
    return break_mesh(failed->kind,
                      cat(name_of(name), " failed", meanwhile(), ": ", without_name(name, failed->reason)), now);
  }
  break_mesh(ErrorKind::kReconnect,
             cat(name_of(name), " spoke out of turn", meanwhile(), "; run the same kvmesh on both sides"), now);
}

Actions Supervisor::on_time(Time now) {
  if (phase_ == Phase::kFailed) return take();
  for (auto& [name, member] : members_) {
    if (!member.liveness) continue;
    member.liveness->awake(now);
    if (member.liveness->due_to_send(now)) send(member, bus::Heartbeat{}, now);
  }
  check_deadlines(now);
  return take();
}

void Supervisor::check_deadlines(Time now) {
  if (phase_ == Phase::kStopping) {
    if (!bye_deadline_.expired(now)) return;
    for (auto& [name, member] : members_) leave(member);
    return;
  }
  check_members(now);
  check_reports(now);
  if (phase_ == Phase::kStarting) check_starting(now);
  else check_records(now);
}

Supervisor::Time Supervisor::next_wakeup() const {
  if (phase_ == Phase::kFailed) return Time::max();
  Time next = Time::max();
  if (phase_ == Phase::kStopping) next = bye_deadline_.when();
  for (const RunningRecord& record : records_) next = std::min(next, record.deadline().when());
  for (const auto& [name, member] : members_) {
    if (member.state == State::kGone) continue;
    if (member.liveness && !member.last_words) next = std::min(next, member.liveness->next_wakeup());
    if (member.last_words) next = std::min(next, member.last_words->when());
    const bool waits =
        member.state == State::kExpected || member.state == State::kJoined || member.state == State::kEdgesSent;
    if (phase_ == Phase::kStarting && waits) next = std::min(next, member.deadline.when());
  }
  return next;
}

}  // namespace kvmesh::orchestrator
