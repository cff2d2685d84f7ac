#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "bus/endpoint.hpp"
#include "orchestrator/deadlines.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/record_outcome.hpp"
#include "orchestrator/record_runner.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

struct OrchestratorOptions {
  /// Where agents connect to. None: an ipc socket in a private folder, which goes away with the orchestrator.
  std::optional<bus::Endpoint> bind;
  /// Start every agent as a child process; otherwise agents come by themselves.
  bool spawn = true;
  /// The kvmesh program, run as `PROGRAM agents NAME... --connect ENDPOINT`, which becomes the agents (see
  /// orchestrator/agent_copies.hpp). Needed with `spawn`.
  std::filesystem::path program;
  int threads = 0;  ///< compute threads per agent; 0: its host's cores, over those of its agents that compute together
  int concurrency = 1;  ///< records on their way at the same time, at most, in run_all(); up to kMaxRequestsInFlight
  int samples = 1;      ///< records of the topology's calibration file that scores are averaged over, at most
  Deadlines deadlines;
  /// Where what searches by loss find is kept for later meshes (orchestrator/search_cache.hpp); none: nowhere.
  std::optional<std::filesystem::path> search_cache = std::nullopt;
  /// After how long a silence an agent, or its orchestrator, is taken for dead; none: as the topology says, else
  /// bus::Liveness::kTimeout. That a process or its connection ends is known at once, whatever stands here.
  std::optional<std::chrono::milliseconds> liveness;
  /// Progress, one line per call without a newline; always from the same thread of the orchestrator's own. What it
  /// throws is dropped. None: silence.
  std::function<void(const std::string&)> log;
};

/// A running mesh: the agents' processes, the control socket they speak to, and the records on their way through. A
/// resource; its members are called from one thread. While it lives it takes SIGINT, SIGTERM,
/// SIGQUIT and, unless it is ignored, SIGHUP: each ends the mesh.
///
/// When the mesh fails (an agent dies or falls silent, a deadline of the start passes, a signal comes) everything is
/// stopped at once and the member that waits, or else the next one called, throws Error that names the agent. After
/// that only stop() and the destructor are of use.
class Orchestrator {
 public:
  /// Binds the control socket and starts nothing else. Throws Error{kFixInput} for a topology that load_topology()
  /// would refuse, for options that do not go together, and for calibration records or a profile that cannot be read.
  Orchestrator(Topology topology, OrchestratorOptions options);
  /// As stop().
  ~Orchestrator();
  Orchestrator(const Orchestrator&) = delete;
  Orchestrator& operator=(const Orchestrator&) = delete;

  /// Spawns the agents, which have to join from then on, and waits until every agent is ready; then installs the
  /// topology's profile. Throws Error{kFixInput} where agents do not fit together, with every difference, or the
  /// profile was made for other models; Error{kReconnect} or {kRetry} where an agent does not come in time.
  void start();

  /// Where agents connect to, with its real port. Bound by the constructor, so that agents can be told before start().
  bus::Endpoint endpoint() const;

  /// What models the agents run, after start().
  const Fingerprints& models() const;

  /// Takes one record, an object with an "id" (orchestrator/records.hpp), through the mesh and waits for it. `index`
  /// counts input records from 0. What goes wrong with this record alone is RecordOutcome::error; the mesh goes on.
  /// Throws Error{kFixInput} for a record that lacks a field. Edges that need scores and have none are calibrated
  /// first: on the topology's calibration file, or else on this record. `targets`: right answers of the record; what
  /// the best of them costs the output agent is RecordOutcome::target_nats.
  RecordOutcome run(const nlohmann::json& record, std::uint64_t index, const std::vector<std::string>& targets = {});

  /// Every record in turn, up to OrchestratorOptions::concurrency at the same time; `report` hears of each, in the
  /// order of `records`, from the calling thread. Answers do not depend on how many run together, as long as a CPU
  /// computes; times do. A record that `check` refuses fails alone, before its work begins. Otherwise as run().
  void run_all(const std::vector<nlohmann::json>& records, const std::function<void(const RecordOutcome&)>& report,
               const RecordCheck& check = {});

  /// Measures every kv edge on `records`, averages over them, and installs the scores on the edges that select by them.
  /// Throws Error where a record cannot be done.
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records);

  /// Installs scores that were measured before, as a profile has them, from the next record on. After start(). Throws
  /// Error{kFixInput} for an edge that the topology does not have.
  void set_scores(const std::vector<bus::EdgeScores>& scores);

  /// Says bye, waits for the agents to go, ends those that do not, removes the socket. Idempotent.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvmesh::orchestrator
