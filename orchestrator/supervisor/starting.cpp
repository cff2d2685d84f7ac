#include "orchestrator/supervisor.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "bus/topic.hpp"
#include "orchestrator/detail/text.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator {
namespace {

using detail::joined;
using detail::seconds;

constexpr std::chrono::milliseconds kSaysItself{2'000};

std::string agents_of(const Topology& topology) {
  std::vector<std::string> names;
  for (const AgentSpec& agent : topology.agents) names.push_back(agent.name);
  return joined(names, ", ");
}

}  // namespace

void Supervisor::refuse(const std::string& peer, const std::string& reason) {
  actions_.push_back(SendControl{peer, bus::Refused{reason}});
  actions_.push_back(Note{cat("refused an agent: ", reason)});
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
  member.liveness.emplace(now, bus::Liveness::kInterval, options_.liveness);
  member.deadline = Deadline::after(options_.deadlines.start, now);
  agent_of_peer_[peer] = join.agent;
  const ModelSpec& model = model_of(topology_, get_agent(topology_, join.agent));
  send(member,
       bus::Assign{.mesh = topology_.name,
                   .model_path = model.path.string(),
                   .dtype = model.dtype,
                   .device = model.device,
                   .threads = options_.threads,
                   .liveness_ms = options_.liveness.count()},
       now);
  actions_.push_back(Note{cat("agent ", join.agent, " joined (pid ", join.pid, ")")});
}

void Supervisor::on_hello(const std::string& name, Member& member, const bus::Hello& hello, Time now) {
  if (member.state != State::kJoined) {
    return break_mesh(ErrorKind::kReconnect, cat(name_of(name), " said hello twice"), now);
  }
  member.manifest = wire::manifest_from_json(hello.manifest);
  member.endpoint = bus::Endpoint::parse(hello.publish_endpoint).string();
  member.memory_host = hello.memory_host;
  member.memory_bytes = hello.memory_bytes;
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
  const std::map<std::string, MemoryShare> shares = memory_shares();
  for (auto& [name, member] : members_) {
    if (!problems.empty()) {
      send(member, bus::Refused{problems}, now);
      continue;
    }
    bus::Edges edges = edges_of(name);
    edges.keep_bytes = shares.at(name).keep_bytes;
    edges.waiting_bytes = shares.at(name).waiting_bytes;
    send(member, edges, now);
    member.state = State::kEdgesSent;
    // It is told the same, and says itself what it still waits for then.
    member.deadline = Deadline::after(options_.deadlines.start + kSaysItself, now);
  }
  if (problems.empty()) return;
  phase_ = Phase::kFailed;
  actions_.push_back(MeshFailed{ErrorKind::kFixInput, problems});
}

/// Agents that share no memory are on one host where that has one name.
std::map<std::string, MemoryShare> Supervisor::memory_shares() const {
  std::map<std::string, AgentMemory> agents;
  for (const auto& [name, member] : members_)
    agents[name] = {.host = member.memory_host.empty() ? member.host : member.memory_host,
                    .limit = member.memory_bytes,
                    .keep_mib = get_agent(topology_, name).keep_mib};
  return share_memory(agents, topology_.keep_mib);
}

bool Supervisor::on_one_host(const Edge& edge) const {
  const std::string& host = members_.at(edge.spec.from).memory_host;
  return !host.empty() && host == members_.at(edge.spec.to).memory_host;
}

/// By the name that its host gives itself: what runs in a container has cores of its own.
int Supervisor::computing_beside(const std::string& agent) const {
  std::set<std::string> there;
  for (const auto& [name, member] : members_)
    if (member.host == members_.at(agent).host) there.insert(name);
  return computing_together(topology_, there, options_.several_records);
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
  edges.beside = computing_beside(agent);
  edges.ready_deadline_ms = options_.deadlines.start.count();
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

void Supervisor::check_starting(Time now) {
  std::vector<std::string> late;
  for (const auto& [name, member] : members_) {
    if (!member.deadline.expired(now)) continue;
    switch (member.state) {
      case State::kExpected:
        late.push_back(cat("agent ", name, " has not joined within ", seconds(options_.deadlines.start), " s"));
        break;
      case State::kJoined:
        late.push_back(
            cat(name_of(name), " has not said what its model is within ", seconds(options_.deadlines.start), " s"));
        break;
      case State::kEdgesSent:
        late.push_back(cat(name_of(name), " has not become ready within ", seconds(options_.deadlines.start), " s"));
        break;
      case State::kHello:
      case State::kReady:
      case State::kGone: break;
    }
  }
  if (!late.empty()) break_mesh(ErrorKind::kRetry, joined(late, "; "), now);
}

}  // namespace kvmesh::orchestrator
