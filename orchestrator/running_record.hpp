#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "bus/control.hpp"
#include "orchestrator/record_outcome.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// The book of one record on its way: who has answered, who has not, what came. Decides nothing.
class RunningRecord {
 public:
  RunningRecord(const RecordTasks& record, const Topology& topology, Deadline deadline);

  const std::string& id() const { return id_; }
  const std::string& request() const { return request_; }
  const Deadline& deadline() const { return deadline_; }
  /// Something of it was heard that is not its end.
  void renew(Deadline deadline) { deadline_ = deadline; }
  /// Agents that still owe their result.
  const std::set<std::string>& waiting() const { return waiting_; }
  bool complete() const { return waiting_.empty(); }

  /// What the agent was asked for and `result` does not have, as what the agent did; none: it has all.
  std::optional<std::string> missing_from(const std::string& agent, const bus::Result& result) const;
  /// A second result of the same agent is ignored.
  void on_result(const std::string& agent, const bus::Result& result);

  /// What came so far, with `error` where the record failed.
  RecordOutcome outcome(std::optional<std::string> error = {}) const;

 private:
  std::string id_;
  std::string request_;
  const Topology* topology_;
  Deadline deadline_;
  std::set<std::string> waiting_;
  std::set<std::string> asked_;   ///< agents whose answer is wanted
  std::set<std::string> judged_;  ///< agents that are to say what right answers cost
  std::map<std::string, bus::Result> results_;
};

/// The mean of raw scores over calibrating records, edge by edge.
class ScoreAverage {
 public:
  /// Throws Error{kGiveUp}, naming the edge, for a kv edge without scores or with another number of them than before.
  void add(const Topology& topology, const RecordOutcome& outcome);
  std::vector<bus::EdgeScores> mean() const;

 private:
  std::vector<bus::EdgeScores> sums_;
  int records_ = 0;
};

}  // namespace kvmesh::orchestrator
