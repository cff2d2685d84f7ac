#include "orchestrator/record_runner.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/wire/search_cost.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/running_record.hpp"

namespace kvmesh::orchestrator {
namespace {

/// The records that the topology names for calibration, at most `samples`. Read before anything runs, so that a mistake
/// in them is heard then.
std::vector<nlohmann::json> calibration_records(const Topology& topology, int samples) {
  if (!topology.calibration) return {};
  Records records = read_records(*topology.calibration);
  records.all.resize(std::min(records.all.size(), static_cast<std::size_t>(samples)));
  for (std::size_t i = 0; i < records.all.size(); ++i)
    if (const auto problem = record_problem(topology, records.all[i])) fail_input(records.place(i), ": ", *problem);
  return std::move(records.all);
}

/// Outcomes as they come, reported in order.
class InOrder {
 public:
  explicit InOrder(const std::function<void(const RecordOutcome&)>& report) : report_(report) {}

  void add(std::size_t index, RecordOutcome outcome) {
    waiting_.emplace(index, std::move(outcome));
    while (!waiting_.empty() && waiting_.begin()->first == next_) report_first();
  }
  /// Those that wait for an earlier one which never comes: their work was done all the same. After a report that threw
  /// nobody is there to hear of more.
  void report_the_rest() {
    while (!broken_ && !waiting_.empty()) report_first();
  }

 private:
  void report_first() {
    const auto first = waiting_.extract(waiting_.begin());
    next_ = first.key() + 1;
    broken_ = true;
    report_(first.mapped());
    broken_ = false;
  }

  const std::function<void(const RecordOutcome&)>& report_;
  std::map<std::size_t, RecordOutcome> waiting_;
  std::size_t next_ = 0;
  bool broken_ = false;  ///< a report threw
};

}  // namespace

RecordRunner::RecordRunner(const Topology& topology, int samples, std::chrono::milliseconds record_deadline,
                           MeshPort port)
    : topology_(topology), record_deadline_(record_deadline), port_(std::move(port)) {
  for (const Edge& edge : topology_.edges) {
    if (needs_scores(edge)) unscored_.insert({edge.spec.from, edge.spec.to});
  }
  calibration_ = calibration_records(topology_, samples);
}

RecordOutcome RecordRunner::run(const nlohmann::json& record, std::uint64_t index,
                                const std::vector<std::string>& targets) {
  const RecordTasks tasks = tasks_for(record, index, /*calibrate=*/false, targets);
  if (auto failed = prepare_scores(record, index)) return *std::move(failed);
  return take(tasks);
}

RecordOutcome RecordRunner::take(const RecordTasks& tasks) {
  port_.submit(tasks);
  return port_.wait();
}

void RecordRunner::run_all(const std::vector<nlohmann::json>& records, std::size_t in_flight,
                           const std::function<void(const RecordOutcome&)>& report, const RecordCheck& check) {
  InOrder outcomes(report);
  std::exception_ptr failure;
  try {
    take_all(records, in_flight, check,
             [&](std::size_t index, RecordOutcome outcome) { outcomes.add(index, std::move(outcome)); });
  } catch (...) {
    failure = std::current_exception();
  }
  outcomes.report_the_rest();
  if (failure) std::rethrow_exception(failure);
}

void RecordRunner::take_all(const std::vector<nlohmann::json>& records, std::size_t in_flight, const RecordCheck& check,
                            const std::function<void(std::size_t, RecordOutcome)>& done) {
  std::map<std::string, std::size_t> running;  // by request
  const auto wait_for_one = [&] {
    RecordOutcome outcome = port_.wait();
    const auto found = running.find(outcome.request);
    const std::size_t index = found->second;
    running.erase(found);
    done(index, std::move(outcome));
  };
  for (std::size_t index = 0; index < records.size(); ++index) {
    if (const std::optional<std::string> wrong = check ? check(index) : std::nullopt) {
      done(index, {.id = record_id(records[index]), .error = *wrong});
      continue;
    }
    const RecordTasks tasks = tasks_for(records[index], index, /*calibrate=*/false);
    const std::size_t most = unmeasured_at(index).empty() ? in_flight : 1;
    while (running.size() >= most) wait_for_one();
    if (auto failed = prepare_scores(records[index], index)) {
      done(index, *std::move(failed));
      continue;
    }
    port_.submit(tasks);
    running.emplace(tasks.request, index);
  }
  while (!running.empty()) wait_for_one();
}

std::vector<bus::EdgeScores> RecordRunner::calibrate(const std::vector<nlohmann::json>& records) {
  std::set<EdgeEnds> search;
  for (const Edge& edge : topology_.edges) {
    const bool by_attention = edge.spec.layers.ranked() && !edge.spec.layers.by_loss();
    if (edge.spec.medium == wire::Medium::kKv && (!by_attention || needs_search(edge)))
      search.insert({edge.spec.from, edge.spec.to});
  }
  return calibrate(records, search);
}

/// Of `edges` those that are searched by loss.
std::set<EdgeEnds> RecordRunner::by_loss(const std::set<EdgeEnds>& edges) const {
  std::set<EdgeEnds> search;
  for (const Edge& edge : topology_.edges)
    if (needs_search(edge) && edges.contains({edge.spec.from, edge.spec.to}))
      search.insert({edge.spec.from, edge.spec.to});
  return search;
}

std::vector<bus::EdgeScores> RecordRunner::calibrate(const std::vector<nlohmann::json>& records,
                                                     const std::set<EdgeEnds>& search) {
  std::set<EdgeEnds> edges;
  for (const Edge& edge : topology_.edges) {
    if (needs_scores(edge)) edges.insert({edge.spec.from, edge.spec.to});
  }
  Measured measured = measure(records, search);
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

RecordTasks RecordRunner::tasks_for(const nlohmann::json& record, std::uint64_t index, bool calibrate,
                                    const std::vector<std::string>& targets) {
  return make_tasks(topology_, record, index, cat("request-", ++requests_), calibrate, record_deadline_, targets);
}

RecordRunner::Measured RecordRunner::measure(const std::vector<nlohmann::json>& records,
                                             const std::set<EdgeEnds>& search) {
  if (records.empty()) fail_input("there is no record to calibrate on; give at least one");
  const auto samples = static_cast<int>(records.size());
  if (auto before = searched_before(records, search)) return {.scores = *std::move(before), .failed = std::nullopt};
  for (const Edge& edge : topology_.edges) {
    const auto& [from, to] = std::tie(edge.spec.from, edge.spec.to);
    if (!search.contains({from, to})) continue;
    const wire::Unit unit = edge.spec.layers.unit;
    port_.log(cat("choosing the ", unit == wire::Unit::kHead ? "KV heads" : "layers", " of ", from, " -> ", to,
                  " by what ", describe_target(topology_, to, &records.front()), " costs, on ", samples,
                  " record(s): about the work of reading ", wire::search_tokens(samples, unit), " tokens"));
  }
  ScoreAverage average;
  for (std::size_t i = 0; i < records.size(); ++i) {
    RecordTasks tasks = tasks_for(records[i], i, /*calibrate=*/true);
    ask_for_search(topology_, records[i], search, {.sample = static_cast<int>(i), .samples = samples}, tasks);
    RecordOutcome outcome = take(tasks);
    if (outcome.error) return {.scores = {}, .failed = std::move(outcome)};
    average.add(topology_, outcome);
  }
  Measured measured{.scores = average.mean(), .failed = std::nullopt};
  for (const bus::EdgeScores& edge : measured.scores)
    if (edge.path.empty() && edge.wire.empty() && search.contains({edge.from, edge.to}))
      throw Error(ErrorKind::kGiveUp,
                  cat("agent ", edge.to, " was asked for the best layers of edge ", edge.from, " -> ", edge.to,
                      " by loss and named none; run the same kvmesh on both sides"));
  if (!search.empty() && port_.searches != nullptr)
    port_.searches->keep(search_identity(topology_, port_.models(), records), measured.scores);
  return measured;
}

std::optional<std::vector<bus::EdgeScores>> RecordRunner::searched_before(const std::vector<nlohmann::json>& records,
                                                                          const std::set<EdgeEnds>& search) {
  if (search.empty() || port_.searches == nullptr) return std::nullopt;
  const std::string identity = search_identity(topology_, port_.models(), records);
  std::optional<std::vector<bus::EdgeScores>> found = port_.searches->find(identity);
  if (!found) return std::nullopt;
  for (const auto& [from, to] : search)
    if (std::none_of(found->begin(), found->end(), [&, &from = from, &to = to](const bus::EdgeScores& edge) {
          return edge.from == from && edge.to == to && !(edge.path.empty() && edge.wire.empty());
        }))
      return std::nullopt;
  port_.log(cat("layers were chosen by loss before, for these models, prompts and records: ",
                port_.searches->file_of(identity).string()));
  return found;
}

void RecordRunner::install(const std::vector<bus::EdgeScores>& scores, const std::set<EdgeEnds>& edges) {
  for (const bus::EdgeScores& edge : scores) {
    if (edges.contains({edge.from, edge.to})) set_scores({edge});
  }
}

std::set<EdgeEnds> RecordRunner::unmeasured_at(std::uint64_t index) const {
  std::set<EdgeEnds> due = unscored_;
  for (const Edge& edge : topology_.edges) {
    const int every = edge.spec.recalibrate_every;
    const EdgeEnds ends{edge.spec.from, edge.spec.to};
    const auto anew = searched_anew_.find(ends);
    const bool often = anew != searched_anew_.end() && anew->second >= kMostSearchesAnew;
    if (needs_scores(edge) && !often && every > 0 && (index + 1) % static_cast<std::uint64_t>(every) == 0)
      due.insert(ends);
  }
  return due;
}

/// Measures what has to be known before this record; the outcome is that of a record on which it could not be done.
std::optional<RecordOutcome> RecordRunner::prepare_scores(const nlohmann::json& record, std::uint64_t index) {
  const std::string id = record.value("id", "");
  if (!unscored_.empty() && !calibration_.empty()) {
    port_.log(cat("calibrating on ", calibration_.size(), " record(s) of ", topology_.calibration->string()));
    calibrate(calibration_, by_loss(unscored_));
  } else if (!unscored_.empty()) {
    port_.log(cat("no profile and no calibration file: calibrating on record ", id));
  }
  const std::set<EdgeEnds> due = unmeasured_at(index);
  if (due.empty()) return std::nullopt;
  for (const auto& [from, to] : due)
    if (!unscored_.contains({from, to})) port_.log(cat("measuring edge ", from, " -> ", to, " anew on record ", id));
  const std::set<EdgeEnds> search = by_loss(due);
  for (const EdgeEnds& edge : search) {
    if (unscored_.contains(edge) || ++searched_anew_[edge] < kMostSearchesAnew) continue;
    port_.log(cat("the layers of ", edge.first, " -> ", edge.second, " are searched anew for the last time: ",
                  kMostSearchesAnew, " times are the most in the life of a mesh"));
  }
  Measured measured = measure({record}, search);
  if (measured.failed) {
    measured.failed->error = cat("calibration: ", *measured.failed->error);
    return measured.failed;
  }
  install(measured.scores, due);
  return std::nullopt;
}

}  // namespace kvmesh::orchestrator
