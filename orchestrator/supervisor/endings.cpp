#include "orchestrator/supervisor.hpp"

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

constexpr std::chrono::milliseconds kLastWords{300};

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
  if (all(State::kGone)) actions_.push_back(AllGone{});
  return take();
}

void Supervisor::leave(Member& member) {
  if (member.state == State::kGone) return;
  member.state = State::kGone;
  if (phase_ == Phase::kStopping && all(State::kGone)) actions_.push_back(AllGone{});
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

Actions Supervisor::on_exit(const std::string& agent, std::int64_t pid, bool killed, const std::string& how, Time now) {
  Member& member = members_.at(agent);
  member.pid = pid;
  if (phase_ == Phase::kStopping) {
    leave(member);
  } else if (killed) {
    break_mesh(ErrorKind::kReconnect, cat(name_of(agent), ' ', how, meanwhile()), now);
  } else {
    member.exit = how;
    member.last_words = Deadline::after(kLastWords, now);
  }
  return take();
}

}  // namespace kvmesh::orchestrator
