#include "orchestrator/supervisor.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "orchestrator/detail/text.hpp"

namespace kvmesh::orchestrator {
namespace {

/// What an agent said before its end may take so long to be read.
constexpr std::chrono::milliseconds kLastWords{300};
/// The kernel tells of a child's end so soon after its connection's.
constexpr std::chrono::milliseconds kExitKnown{1'000};
/// Who is heard so long after a report about it did not die of what was reported.
constexpr std::chrono::milliseconds kDoubt{1'500};

}  // namespace

void Supervisor::break_mesh(ErrorKind kind, const std::string& reason, Time now) {
  if (phase_ == Phase::kFailed) return;
  phase_ = Phase::kFailed;
  actions_.push_back(MeshFailed{kind, reason});
  for (auto& [name, member] : members_) send(member, bus::Bye{reason}, now);
}

Actions Supervisor::fail(ErrorKind kind, const std::string& reason, Time now) {
  break_mesh(kind, reason, now);
  return take();
}

Actions Supervisor::say_bye(const std::string& reason, Time now) {
  if (phase_ == Phase::kFailed || phase_ == Phase::kStopping) return take();
  phase_ = Phase::kStopping;
  records_.clear();
  bye_deadline_ = Deadline::after(options_.deadlines.bye, now);
  for (auto& [name, member] : members_) {
    if (member.peer.empty()) member.state = State::kGone;
    send(member, bus::Bye{reason}, now);
  }
  if (all(State::kGone)) actions_.emplace_back(std::in_place_type<AllGone>);
  return take();
}

void Supervisor::leave(Member& member) {
  if (member.state == State::kGone) return;
  member.state = State::kGone;
  if (phase_ == Phase::kStopping && all(State::kGone)) actions_.emplace_back(std::in_place_type<AllGone>);
}

void Supervisor::on_bye(const std::string& name, Member& member, Time now) {
  if (phase_ == Phase::kStopping) return leave(member);
  break_mesh(ErrorKind::kReconnect, cat(name_of(name), " left", meanwhile()), now);
}

Actions Supervisor::on_broken(const std::string& peer, const std::string& reason, Time now) {
  const auto known = agent_of_peer_.find(peer);
  if (known == agent_of_peer_.end()) return take();
  Member& member = members_.at(known->second);
  if (phase_ == Phase::kStopping) {
    leave(member);
  } else if (!member.last_words) {  // an exited agent's own end says more than a message that missed it
    break_mesh(ErrorKind::kReconnect, cat(name_of(known->second), meanwhile(), ": ", reason), now);
  }
  return take();
}

Actions Supervisor::on_gone(const std::string& peer, Time now) {
  const auto known = agent_of_peer_.find(peer);
  if (known == agent_of_peer_.end()) return take();
  Member& member = members_.at(known->second);
  if (phase_ == Phase::kStopping) {
    leave(member);
  } else if (!member.last_words) {
    member.end = "is gone: its connection has ended";
    member.last_words = Deadline::after(options_.children ? kExitKnown : kLastWords, now);
  }
  return take();
}

Actions Supervisor::on_exit(const std::string& agent, std::int64_t pid, bool killed, const std::string& how, Time now) {
  Member& member = members_.at(agent);
  member.pid = pid;
  if (phase_ == Phase::kStopping) {
    leave(member);
  } else if (killed) {
    break_mesh(ErrorKind::kReconnect, cat(name_of(agent), ' ', how, meanwhile()), now);
  } else {
    member.end = how;
    member.last_words = Deadline::after(kLastWords, now);
  }
  return take();
}

void Supervisor::check_members(Time now) {
  for (auto& [name, member] : members_) {
    if (member.last_words && member.last_words->expired(now))
      return break_mesh(ErrorKind::kReconnect, cat(name_of(name), ' ', member.end, meanwhile()), now);
    if (member.liveness && !member.last_words && member.liveness->dead(now))
      return break_mesh(ErrorKind::kReconnect,
                        cat(name_of(name), " has been silent for ", detail::seconds(options_.liveness), " s",
                            meanwhile(), "; it hangs, is stopped, or its host cannot be reached"),
                        now);
  }
}

/// Held: the reporter is heard of a death first, by what it cannot send any more.
void Supervisor::on_lost(const std::string& name, const bus::Lost& lost, Time now) {
  if (phase_ == Phase::kStopping) return;
  const auto about = members_.find(lost.agent);
  if (about == members_.end() || lost.agent == name)
    return break_mesh(ErrorKind::kReconnect,
                      cat(name_of(name), " says that it lost \"", lost.agent,
                          "\", which is no other agent; run the same kvmesh on both sides"),
                      now);
  const bool held = std::any_of(reports_.begin(), reports_.end(), [&](const Report& report) {
    return report.reporter == name && report.about == lost.agent;
  });
  if (!held) reports_.push_back({.reporter = name, .about = lost.agent, .reason = lost.reason, .since = now});
}

/// Who ended, or falls silent, is named by check_members(); here is left whose peer lives all the same.
void Supervisor::check_reports(Time now) {
  for (const Report& report : reports_) {
    const Member& about = members_.at(report.about);
    if (about.last_words || !about.liveness || now - about.liveness->silence(now) < report.since + kDoubt) continue;
    return break_mesh(ErrorKind::kReconnect,
                      cat("what connects ", name_of(report.reporter), " with ", name_of(report.about), " broke",
                          meanwhile(), ", and both live: ", report.reason),
                      now);
  }
}

}  // namespace kvmesh::orchestrator
