#include "orchestrator/supervisor.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "orchestrator/detail/text.hpp"

namespace kvmesh::orchestrator {

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
  if (const auto missing = record->missing_from(name, result)) {
    give_up(*record, cat("agent ", name, " ", *missing), now);
    records_.erase(record);
    return;
  }
  record->on_result(name, result);
  if (!record->complete()) return;
  actions_.push_back(RecordDone{record->outcome()});
  records_.erase(record);
}

void Supervisor::on_progress(const bus::Progress& progress, Time now) {
  const auto record = find_record(progress.request);
  if (record == records_.end()) return;
  record->renew(Deadline::after(options_.deadlines.record, now));
  actions_.push_back(Note{describe(progress)});
}

void Supervisor::on_task_error(const std::string& name, const bus::TaskError& error, Time now) {
  const auto record = find_record(error.request);
  if (record == records_.end()) return;
  give_up(*record, cat("agent ", name, ": ", without_name(name, error.reason)), now);
  records_.erase(record);
}

/// Nobody is to work on it any more.
void Supervisor::give_up(const RunningRecord& record, const std::string& error, Time now) {
  for (auto& [name, member] : members_) {
    if (record.waiting().contains(name)) send(member, bus::Cancel{record.request()}, now);
  }
  actions_.push_back(RecordDone{record.outcome(error)});
}

void Supervisor::check_records(Time now) {
  const auto expired = [now](const RunningRecord& record) { return record.deadline().expired(now); };
  for (const RunningRecord& record : records_) {
    if (!expired(record)) continue;
    const std::vector<std::string> late(record.waiting().begin(), record.waiting().end());
    give_up(record,
            cat("no result from ", detail::joined(late, ", "), " within ", detail::seconds(options_.deadlines.record),
                " s"),
            now);
  }
  std::erase_if(records_, expired);
}

}  // namespace kvmesh::orchestrator
