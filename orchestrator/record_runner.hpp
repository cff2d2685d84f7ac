#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bus/control.hpp"
#include "orchestrator/calibration.hpp"
#include "orchestrator/record_outcome.hpp"
#include "orchestrator/search_cache.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// How records reach the agents of a mesh, wherever those run.
struct MeshPort {
  /// Sends one record on its way through the mesh.
  std::function<void(const RecordTasks&)> submit;
  /// Waits for the next record that is done, of those that were submitted; whichever it is.
  std::function<RecordOutcome()> wait;
  /// Hands scores to the edge's sender, from the next record on.
  std::function<void(const bus::EdgeScores&)> install;
  /// Progress, one line a call.
  std::function<void(const std::string&)> log;
  /// What models the agents run, once they are ready, and where searches are kept; null: nowhere.
  std::function<const Fingerprints&()> models = nullptr;
  const SearchCache* searches = nullptr;
};

/// How often `recalibrate` searches an edge's layers anew, at most, in the life of a mesh: a search costs as much as
/// many records.
inline constexpr int kMostSearchesAnew = 16;

/// Why record number `index` must not be sent on its way; none: it may. Asked once for each, right before its turn.
using RecordCheck = std::function<std::optional<std::string>(std::size_t index)>;

/// Takes records through a mesh and sees to it that edges which select by scores have them: those that were given, else
/// measured on the topology's calibration file, else on the first record; and anew on every n-th record where an edge
/// says so. A record that is measured on still has one answer. Nothing else is on its way while something is measured,
/// so answers do not depend on how many records are. One thread at a time.
class RecordRunner {
 public:
  /// `samples`: records of the calibration file that scores are averaged over, at most. `topology` outlives this.
  /// Throws Error{kFixInput} for calibration records that cannot be read or lack a field.
  RecordRunner(const Topology& topology, int samples, std::chrono::milliseconds record_deadline, MeshPort port);

  /// What goes wrong with this record alone is RecordOutcome::error. `targets`: see make_tasks(). Throws
  /// Error{kFixInput} for a record that lacks a field.
  RecordOutcome run(const nlohmann::json& record, std::uint64_t index, const std::vector<std::string>& targets = {});

  /// Every record in turn, up to `in_flight` at a time; `report` hears of each in the order of `records`. An outcome
  /// waits for those before it, and is heard of even where the mesh fails meanwhile. A record that `check` refuses
  /// fails alone, before its work begins. Throws as run().
  void run_all(const std::vector<nlohmann::json>& records, std::size_t in_flight,
               const std::function<void(const RecordOutcome&)>& report, const RecordCheck& check = {});

  /// Measures every kv edge on `records`, its attention averaged over them and, but where it says by: attention, its
  /// layers searched by loss, and installs the scores on the edges that select by them. Throws Error where a record
  /// cannot be done.
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records);

  /// Installs scores that were measured before.
  void set_scores(const std::vector<bus::EdgeScores>& scores);

 private:
  struct Measured {
    std::vector<bus::EdgeScores> scores;
    std::optional<RecordOutcome> failed;
  };

  RecordOutcome take(const RecordTasks& tasks);
  /// Every record in turn; `done` hears of each as it is done.
  void take_all(const std::vector<nlohmann::json>& records, std::size_t in_flight, const RecordCheck& check,
                const std::function<void(std::size_t index, RecordOutcome outcome)>& done);
  RecordTasks tasks_for(const nlohmann::json& record, std::uint64_t index, bool calibrate,
                        const std::vector<std::string>& targets = {});
  /// `search`: the edges whose layers are searched by loss.
  Measured measure(const std::vector<nlohmann::json>& records, const std::set<EdgeEnds>& search);
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records, const std::set<EdgeEnds>& search);
  std::set<EdgeEnds> by_loss(const std::set<EdgeEnds>& edges) const;
  std::optional<std::vector<bus::EdgeScores>> searched_before(const std::vector<nlohmann::json>& records,
                                                              const std::set<EdgeEnds>& search);
  void install(const std::vector<bus::EdgeScores>& scores, const std::set<EdgeEnds>& edges);
  /// Edges that select by scores and are to be measured before this record.
  std::set<EdgeEnds> unmeasured_at(std::uint64_t index) const;
  std::optional<RecordOutcome> prepare_scores(const nlohmann::json& record, std::uint64_t index);

  const Topology& topology_;
  const std::chrono::milliseconds record_deadline_;
  const MeshPort port_;
  std::set<EdgeEnds> unscored_;  ///< edges that select by scores and have none
  std::vector<nlohmann::json> calibration_;
  std::uint64_t requests_ = 0;
  std::map<EdgeEnds, int> searched_anew_;  ///< how often, at most kMostSearchesAnew
};

}  // namespace kvmesh::orchestrator
