#include "orchestrator/record_runner.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/running_record.hpp"

namespace kvmesh::orchestrator {
namespace {

/// The records that the topology names for calibration, at most `samples`. Read before anything runs, so that a mistake
/// in them is heard then.
std::vector<nlohmann::json> calibration_records(const Topology& topology, int samples) {
  if (!topology.calibration) return {};
  std::vector<nlohmann::json> records = read_records(*topology.calibration);
  records.resize(std::min(records.size(), static_cast<std::size_t>(samples)));
  for (const nlohmann::json& record : records) {
    make_tasks(topology, record, /*index=*/0, /*request=*/"", /*calibrate=*/true, {});
  }
  return records;
}

}  // namespace

RecordRunner::RecordRunner(const Topology& topology, int samples, std::chrono::milliseconds record_deadline,
                           MeshPort port)
    : topology_(topology), record_deadline_(record_deadline), port_(std::move(port)) {
  for (const Edge& edge : topology_.edges) {
    if (needs_scores(edge)) unscored_.insert({edge.spec.from, edge.spec.to});
  }
  calibration_ = calibration_records(topology_, samples);
}

RecordOutcome RecordRunner::run(const nlohmann::json& record, std::uint64_t index) {
  const RecordTasks tasks = tasks_for(record, index, /*calibrate=*/false);
  if (auto failed = prepare_scores(record, index)) return *std::move(failed);
  return port_.run(tasks);
}

std::vector<bus::EdgeScores> RecordRunner::calibrate(const std::vector<nlohmann::json>& records) {
  std::set<EdgeEnds> edges;
  for (const Edge& edge : topology_.edges) {
    if (needs_scores(edge)) edges.insert({edge.spec.from, edge.spec.to});
  }
  Measured measured = measure(records);
  if (measured.failed) {
    throw Error(ErrorKind::kGiveUp,
                cat("calibration failed on record ", measured.failed->id, ": ", *measured.failed->error));
  }
  install(measured.scores, edges);
  return measured.scores;
}

void RecordRunner::set_scores(const std::vector<bus::EdgeScores>& scores) {
  for (const bus::EdgeScores& edge : scores) {
    port_.install(edge);
    unscored_.erase({edge.from, edge.to});
  }
}

RecordTasks RecordRunner::tasks_for(const nlohmann::json& record, std::uint64_t index, bool calibrate) {
  return make_tasks(topology_, record, index, cat("request-", ++requests_), calibrate, record_deadline_);
}

RecordRunner::Measured RecordRunner::measure(const std::vector<nlohmann::json>& records) {
  if (records.empty()) fail_input("there is no record to calibrate on; give at least one");
  ScoreAverage average;
  for (std::size_t i = 0; i < records.size(); ++i) {
    RecordOutcome outcome = port_.run(tasks_for(records[i], i, /*calibrate=*/true));
    if (outcome.error) return {.scores = {}, .failed = std::move(outcome)};
    average.add(topology_, outcome);
  }
  return {.scores = average.mean(), .failed = std::nullopt};
}

void RecordRunner::install(const std::vector<bus::EdgeScores>& scores, const std::set<EdgeEnds>& edges) {
  for (const bus::EdgeScores& edge : scores) {
    if (edges.contains({edge.from, edge.to})) set_scores({edge});
  }
}

std::set<RecordRunner::EdgeEnds> RecordRunner::edges_to_measure_anew(std::uint64_t index, const std::string& id) const {
  std::set<EdgeEnds> due;
  for (const Edge& edge : topology_.edges) {
    const int every = edge.spec.recalibrate_every;
    if (!needs_scores(edge) || every == 0 || (index + 1) % static_cast<std::uint64_t>(every) != 0) continue;
    due.insert({edge.spec.from, edge.spec.to});
    port_.log(cat("measuring edge ", wire::describe(edge.spec), " anew on record ", id));
  }
  return due;
}

/// Measures what has to be known before this record; the outcome is that of a record on which it could not be done.
std::optional<RecordOutcome> RecordRunner::prepare_scores(const nlohmann::json& record, std::uint64_t index) {
  const std::string id = record.value("id", "");
  std::set<EdgeEnds> due = unscored_;
  if (!due.empty() && !calibration_.empty()) {
    port_.log(cat("calibrating on ", calibration_.size(), " record(s) of ", topology_.calibration->string()));
    calibrate(calibration_);
    due.clear();
  } else if (!due.empty()) {
    port_.log(cat("no profile and no calibration file: calibrating on record ", id));
  }
  due.merge(edges_to_measure_anew(index, id));
  if (due.empty()) return std::nullopt;
  Measured measured = measure({record});
  if (measured.failed) {
    measured.failed->error = cat("calibration: ", *measured.failed->error);
    return measured.failed;
  }
  install(measured.scores, due);
  return std::nullopt;
}

}  // namespace kvmesh::orchestrator
