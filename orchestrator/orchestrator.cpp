#include "orchestrator/orchestrator.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "orchestrator/detail/mesh_loop.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/running_record.hpp"
#include "orchestrator/tasks.hpp"

namespace kvmesh::orchestrator {
namespace {

using EdgeEnds = std::pair<std::string, std::string>;

EdgeEnds ends(const bus::EdgeScores& scores) { return {scores.from, scores.to}; }
EdgeEnds ends(const Edge& edge) { return {edge.spec.from, edge.spec.to}; }

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

void check_options(const OrchestratorOptions& options) {
  if (options.samples < 1) fail_input("samples is ", options.samples, "; calibrate on at least 1 record");
  if (options.spawn && !std::filesystem::is_regular_file(options.program)) {
    fail_input("there is no program ", options.program.string(), " to start agents with; name the kvmesh program");
  }
}

}  // namespace

class Orchestrator::Impl {
 public:
  Impl(Topology topology, OrchestratorOptions options)
      : topology_(std::move(topology)), options_(std::move(options)) {
    check_options(options_);
    for (const Edge& edge : topology_.edges) {
      if (needs_scores(edge)) unscored_.insert(ends(edge));
    }
    calibration_ = calibration_records(topology_, options_.samples);
    loop_.emplace(topology_, options_);
  }

  void start() { loop_->start(); }
  bus::Endpoint endpoint() const { return loop_->endpoint(); }
  void stop() { loop_->stop(); }

  RecordOutcome run(const nlohmann::json& record, std::uint64_t index) {
    const RecordTasks tasks = tasks_for(record, index, /*calibrate=*/false);
    if (auto failed = prepare_scores(record, index)) return *std::move(failed);
    return loop_->run(tasks);
  }

  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records) {
    std::set<EdgeEnds> edges;
    for (const Edge& edge : topology_.edges) {
      if (needs_scores(edge)) edges.insert(ends(edge));
    }
    Measured measured = measure(records);
    if (measured.failed) {
      throw Error(ErrorKind::kGiveUp, cat("calibration failed on record ", measured.failed->id, ": ",
                                          *measured.failed->error));
    }
    install(measured.scores, edges);
    return measured.scores;
  }

  void set_scores(const std::vector<bus::EdgeScores>& scores) {
    for (const bus::EdgeScores& edge : scores) {
      loop_->install(edge);
      unscored_.erase(ends(edge));
    }
  }

 private:
  struct Measured {
    std::vector<bus::EdgeScores> scores;
    std::optional<RecordOutcome> failed;
  };

  RecordTasks tasks_for(const nlohmann::json& record, std::uint64_t index, bool calibrate) {
    return make_tasks(topology_, record, index, cat("request-", ++requests_), calibrate, options_.deadlines.record);
  }

  Measured measure(const std::vector<nlohmann::json>& records) {
    if (records.empty()) fail_input("there is no record to calibrate on; give at least one");
    ScoreAverage average;
    for (std::size_t i = 0; i < records.size(); ++i) {
      RecordOutcome outcome = loop_->run(tasks_for(records[i], i, /*calibrate=*/true));
      if (outcome.error) return {.scores = {}, .failed = std::move(outcome)};
      average.add(topology_, outcome);
    }
    return {.scores = average.mean(), .failed = std::nullopt};
  }

  void install(const std::vector<bus::EdgeScores>& scores, const std::set<EdgeEnds>& edges) {
    for (const bus::EdgeScores& edge : scores) {
      if (edges.contains(ends(edge))) set_scores({edge});
    }
  }

  /// Measures what has to be known before this record; the outcome is that of a record on which it could not be done.
  std::optional<RecordOutcome> prepare_scores(const nlohmann::json& record, std::uint64_t index) {
    std::set<EdgeEnds> due = unscored_;
    if (!due.empty() && !calibration_.empty()) {
      log(cat("calibrating on ", calibration_.size(), " record(s) of ", topology_.calibration->string()));
      calibrate(calibration_);
      due.clear();
    } else if (!due.empty()) {
      log(cat("no profile and no calibration file: calibrating on record ", record.value("id", "")));
    }
    for (const Edge& edge : topology_.edges) {
      const int every = edge.spec.recalibrate_every;
      if (needs_scores(edge) && every > 0 && (index + 1) % static_cast<std::uint64_t>(every) == 0) {
        due.insert(ends(edge));
        log(cat("measuring edge ", wire::describe(edge.spec), " anew on record ", record.value("id", "")));
      }
    }
    if (due.empty()) return std::nullopt;
    Measured measured = measure({record});
    if (measured.failed) {
      measured.failed->error = cat("calibration: ", *measured.failed->error);
      return measured.failed;
    }
    install(measured.scores, due);
    return std::nullopt;
  }

  void log(const std::string& text) const {
    if (options_.log) options_.log(text);
  }

  Topology topology_;
  OrchestratorOptions options_;
  std::set<EdgeEnds> unscored_;  ///< edges that select by scores and have none
  std::vector<nlohmann::json> calibration_;
  std::uint64_t requests_ = 0;
  std::optional<detail::MeshLoop> loop_;
};

Orchestrator::Orchestrator(Topology topology, OrchestratorOptions options)
    : impl_(std::make_unique<Impl>(std::move(topology), std::move(options))) {}
Orchestrator::~Orchestrator() = default;

void Orchestrator::start() { impl_->start(); }
bus::Endpoint Orchestrator::endpoint() const { return impl_->endpoint(); }
RecordOutcome Orchestrator::run(const nlohmann::json& record, std::uint64_t index) { return impl_->run(record, index); }
std::vector<bus::EdgeScores> Orchestrator::calibrate(const std::vector<nlohmann::json>& records) {
  return impl_->calibrate(records);
}
void Orchestrator::set_scores(const std::vector<bus::EdgeScores>& scores) { impl_->set_scores(scores); }
void Orchestrator::stop() { impl_->stop(); }

}  // namespace kvmesh::orchestrator
