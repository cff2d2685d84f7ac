#include "orchestrator/supervisor.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "bus/topic.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator {
namespace {

constexpr std::chrono::milliseconds kLastWords{300};

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count() / 1000.0;
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += cat(text.empty() ? "" : between, part);
  return text;
}

std::string agents_of(const Topology& topology) {
  std::vector<std::string> names;
  for (const AgentSpec& agent : topology.agents) names.push_back(agent.name);
  return joined(names, ", ");
}

}  // namespace

Supervisor::Supervisor(const Topology& topology, SupervisorOptions options, Time now)
    : topology_(topology), options_(options), bye_deadline_(Deadline::at(now)) {
  for (const AgentSpec& agent : topology.agents) {
    members_.emplace(agent.name, Member(Deadline::after(options.deadlines.join, now)));
  }
}

Actions Supervisor::take() { return std::exchange(actions_, {}); }

std::string Supervisor::name_of(const std::string& name) const {
  const Member& member = members_.at(name);
  return member.pid == 0 ? cat("agent ", name) : cat("agent ", name, " (pid ", member.pid, ")");
}

std::string Supervisor::meanwhile() const {
  std::vector<std::string> ids;
  for (const RunningRecord& record : records_) ids.push_back(record.id());
  if (!ids.empty()) return cat(" while working on record", ids.size() > 1 ? "s " : " ", joined(ids, ", "));
  return phase_ == Phase::kStarting ? " before the mesh was ready" : " between records";
}

bool Supervisor::all(State state) const {
  return std::all_of(members_.begin(), members_.end(), [state](const auto& one) { return one.second.state == state; });
}

void Supervisor::send(Member& member, const bus::Control& message, Time now) {
  if (member.peer.empty() || member.state == State::kGone) return;
  actions_.push_back(SendControl{member.peer, message});
  member.liveness->sent(now);
}

void Supervisor::refuse(const std::string& peer, const std::string& reason) {
  actions_.push_back(SendControl{peer, bus::Refused{reason}});
  actions_.push_back(Note{cat("refused an agent: ", reason)});
}

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

void Supervisor::handle(const std::string& peer, const bus::Join& join, Time now) {
  if (join.version != bus::kControlVersion) {
    return refuse(peer,
                  cat("agent ", join.agent, " speaks version ", join.version, " of the control protocol and this ",
                      "mesh speaks ", bus::kControlVersion, "; run the same kvmesh on both sides"));
  }
  const auto found = members_.find(join.agent);
  if (found == members_.end()) {
    return refuse(peer, cat("topology ", topology_.name, " has no agent \"", join.agent, "\"; its agents are ",
                            agents_of(topology_)));
  }
  Member& member = found->second;
  if (phase_ != Phase::kStarting || member.state != State::kExpected) {
    return refuse(peer, cat("the name ", join.agent, " is taken by pid ", member.pid, " on host ", member.host));
  }
  member.state = State::kJoined;
  member.peer = peer;
  member.pid = join.pid;
  member.host = join.host;
  member.liveness.emplace(now);
  member.deadline = Deadline::after(options_.deadlines.hello, now);
  agent_of_peer_[peer] = join.agent;
  const AgentSpec& agent = get_agent(topology_, join.agent);
  const ModelSpec& model = model_of(topology_, agent);
  send(member,
       bus::Assign{.mesh = topology_.name,
                   .model_path = model.path.string(),
                   .dtype = model.dtype,
                   .device = model.device,
                   .threads = options_.threads,
                   .keep_mib = agent.keep_mib},
       now);
  actions_.push_back(Note{cat("agent ", join.agent, " joined (pid ", join.pid, ")")});
}

void Supervisor::handle(const std::string& name, Member& member, const bus::Control& message, Time now) {
  if (std::holds_alternative<bus::Heartbeat>(message)) return;
  if (const auto* hello = std::get_if<bus::Hello>(&message)) return on_hello(name, member, *hello, now);
  if (const auto* result = std::get_if<bus::Result>(&message)) return on_result(name, *result, now);
  if (const auto* error = std::get_if<bus::TaskError>(&message)) return on_task_error(name, *error, now);
  if (std::holds_alternative<bus::Bye>(message)) return on_bye(name, member, now);
  if (const auto* ready = std::get_if<bus::Ready>(&message); ready != nullptr && member.state == State::kEdgesSent) {
    return on_ready(name, member, *ready);
  }
  if (const auto* failed = std::get_if<bus::Failed>(&message)) {
    return break_mesh(failed->kind, cat(name_of(name), " failed", meanwhile(), ": ", failed->reason), now);
  }
  break_mesh(ErrorKind::kReconnect,
             cat(name_of(name), " spoke out of turn", meanwhile(), "; run the same kvmesh on both sides"), now);
}

void Supervisor::on_hello(const std::string& name, Member& member, const bus::Hello& hello, Time now) {
  if (member.state != State::kJoined) {
    return break_mesh(ErrorKind::kReconnect, cat(name_of(name), " said hello twice"), now);
  }
  member.manifest = wire::manifest_from_json(hello.manifest);
  member.endpoint = bus::Endpoint::parse(hello.publish_endpoint).string();
  member.memory_host = hello.memory_host;
  member.state = State::kHello;
  if (all(State::kHello)) check_and_connect(now);
}

void Supervisor::check_and_connect(Time now) {
  std::map<std::string, wire::Manifest> manifests;
  for (const auto& [name, member] : members_) manifests[name] = member.manifest;
  std::vector<std::string> lines = check_ends(topology_, manifests);
  for (const Edge& edge : topology_.edges) {
    if (edge.spec.transport == wire::Transport::kShm && !on_one_host(edge))
      lines.push_back(cat(where(topology_, edge.line), ": edge ", wire::describe(edge.spec),
                          " has transport: shm, and its ends cannot share memory: they run on different hosts, in ",
                          "different containers or as different users; say transport: auto or zmq"));
  }
  const std::string problems = joined(lines, "\n");
  for (auto& [name, member] : members_) {
    if (!problems.empty()) {
      send(member, bus::Refused{problems}, now);
      continue;
    }
    send(member, edges_of(name), now);
    member.state = State::kEdgesSent;
    member.deadline = Deadline::after(options_.deadlines.ready, now);
  }
  if (problems.empty()) return;
  phase_ = Phase::kFailed;
  actions_.push_back(MeshFailed{ErrorKind::kFixInput, problems});
}

bool Supervisor::on_one_host(const Edge& edge) const {
  const std::string& host = members_.at(edge.spec.from).memory_host;
  return !host.empty() && host == members_.at(edge.spec.to).memory_host;
}

bus::EdgeEnd Supervisor::edge_end(const Edge& edge, const std::string& other, bool inbound) const {
  const Member& member = members_.at(other);
  return {.spec = wire::to_json(edge.spec),
          .topic = bus::edge_topic(topology_.name, edge.spec.from, edge.spec.to, wire::to_string(edge.spec.medium)),
          .manifest = wire::to_json(member.manifest),
          .endpoint = inbound ? member.endpoint : std::string(),
          .carries_sink = carries_sink(topology_, edge),
          .shared_memory = edge.spec.medium == wire::Medium::kKv && edge.spec.transport != wire::Transport::kZmq &&
                           on_one_host(edge)};
}

bus::Edges Supervisor::edges_of(const std::string& agent) const {
  bus::Edges edges;
  for (const Edge* edge : inbound_edges(topology_, agent)) {
    edges.inbound.push_back(edge_end(*edge, edge->spec.from, /*inbound=*/true));
  }
  for (const Edge* edge : outbound_edges(topology_, agent)) {
    edges.outbound.push_back(edge_end(*edge, edge->spec.to, /*inbound=*/false));
  }
  return edges;
}

Fingerprints Supervisor::models() const {
  Fingerprints models;
  for (const auto& [name, member] : members_) models[name] = member.weights;
  return models;
}

void Supervisor::on_ready(const std::string& name, Member& member, const bus::Ready& ready) {
  member.state = State::kReady;
  member.weights = ready.weights_fingerprint;
  actions_.push_back(Note{cat("agent ", name, " is ready")});
  if (!all(State::kReady) || phase_ != Phase::kStarting) return;
  phase_ = Phase::kReady;
  actions_.push_back(MeshReady{models()});
}

Actions Supervisor::submit(const RecordTasks& record, Time now) {
  if (!ready()) throw Error(ErrorKind::kGiveUp, "a record was submitted while the mesh was not ready");
  records_.emplace_back(record, topology_, Deadline::after(options_.deadlines.record, now));
  for (auto& [name, member] : members_) send(member, record.tasks.at(name), now);
  return take();
}

Actions Supervisor::install(const bus::EdgeScores& scores, Time now) {
  if (!ready()) throw Error(ErrorKind::kGiveUp, "scores were installed while the mesh was not ready");
  const bool is_edge = std::any_of(topology_.edges.begin(), topology_.edges.end(), [&scores](const Edge& edge) {
    return edge.spec.medium == wire::Medium::kKv && edge.spec.from == scores.from && edge.spec.to == scores.to;
  });
  if (!is_edge) {
    fail_input("scores for ", scores.from, " -> ", scores.to, ", and topology ", topology_.name,
               " has no such kv edge; measure them for this topology");
  }
  send(members_.at(scores.from), bus::Scores{scores}, now);
  return take();
}

std::vector<RunningRecord>::iterator Supervisor::find_record(const std::string& request) {
  return std::find_if(records_.begin(), records_.end(),
                      [&request](const RunningRecord& record) { return record.request() == request; });
}

void Supervisor::on_result(const std::string& name, const bus::Result& result, Time now) {
  const auto record = find_record(result.request);
  if (record == records_.end()) return;  // it was given up
  if (record->lacks_answer(name, result)) {
    give_up(*record, cat("agent ", name, " sent a result without the answer that it was asked for"), now);
    records_.erase(record);
    return;
  }
  record->on_result(name, result);
  if (!record->complete()) return;
  actions_.push_back(RecordDone{record->outcome()});
  records_.erase(record);
}

void Supervisor::on_task_error(const std::string& name, const bus::TaskError& error, Time now) {
  const auto record = find_record(error.request);
  if (record == records_.end()) return;
  const bool says_who = error.reason.starts_with(cat("agent ", name, ":"));
  give_up(*record, says_who ? error.reason : cat("agent ", name, ": ", error.reason), now);
  records_.erase(record);
}

/// Nobody is to work on it any more.
void Supervisor::give_up(const RunningRecord& record, const std::string& error, Time now) {
  for (auto& [name, member] : members_) {
    if (record.waiting().contains(name)) send(member, bus::Cancel{record.request()}, now);
  }
  actions_.push_back(RecordDone{record.outcome(error)});
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

Actions Supervisor::on_time(Time now) {
  if (phase_ == Phase::kFailed) return take();
  for (auto& [name, member] : members_) {
    if (member.liveness && member.liveness->due_to_send(now)) send(member, bus::Heartbeat{}, now);
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
  for (auto& [name, member] : members_) {
    if (member.last_words && member.last_words->expired(now)) {
      return break_mesh(ErrorKind::kReconnect, cat(name_of(name), ' ', member.exit, meanwhile()), now);
    }
    if (member.liveness && !member.last_words && member.liveness->dead(now)) {
      return break_mesh(ErrorKind::kReconnect,
                        cat(name_of(name), " has been silent for ", seconds(bus::Liveness::kTimeout), " s", meanwhile(),
                            "; it hangs, is gone, or its host cannot be reached"),
                        now);
    }
  }
  if (phase_ == Phase::kStarting) return check_starting(now);
  check_records(now);
}

void Supervisor::check_records(Time now) {
  const auto expired = [now](const RunningRecord& record) { return record.deadline().expired(now); };
  for (const RunningRecord& record : records_) {
    if (!expired(record)) continue;
    const std::vector<std::string> late(record.waiting().begin(), record.waiting().end());
    give_up(record, cat("no result from ", joined(late, ", "), " within ", seconds(options_.deadlines.record), " s"),
            now);
  }
  std::erase_if(records_, expired);
}

void Supervisor::check_starting(Time now) {
  std::vector<std::string> late;
  for (const auto& [name, member] : members_) {
    if (!member.deadline.expired(now)) continue;
    switch (member.state) {
      case State::kExpected:
        late.push_back(cat("agent ", name, " has not joined within ", seconds(options_.deadlines.join), " s"));
        break;
      case State::kJoined:
        late.push_back(
            cat(name_of(name), " has not said what its model is within ", seconds(options_.deadlines.hello), " s"));
        break;
      case State::kEdgesSent:
        late.push_back(cat(name_of(name), " has not become ready within ", seconds(options_.deadlines.ready), " s"));
        break;
      case State::kHello:
      case State::kReady:
      case State::kGone: break;
    }
  }
  if (!late.empty()) break_mesh(ErrorKind::kRetry, joined(late, "; "), now);
}

Supervisor::Time Supervisor::next_wakeup() const {
  if (phase_ == Phase::kFailed) return Time::max();
  Time next = Time::max();
  if (phase_ == Phase::kStopping) next = bye_deadline_.when();
  for (const RunningRecord& record : records_) next = std::min(next, record.deadline().when());
  for (const auto& [name, member] : members_) {
    if (member.state == State::kGone) continue;
    if (member.liveness) next = std::min(next, member.liveness->next_wakeup());
    if (member.last_words) next = std::min(next, member.last_words->when());
    const bool waits =
        member.state == State::kExpected || member.state == State::kJoined || member.state == State::kEdgesSent;
    if (phase_ == Phase::kStarting && waits) next = std::min(next, member.deadline.when());
  }
  return next;
}

}  // namespace kvmesh::orchestrator
