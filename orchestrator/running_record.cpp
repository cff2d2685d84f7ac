#include "orchestrator/running_record.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

template <typename Item>
const Item* find_edge(const std::vector<Item>& items, const wire::EdgeSpec& edge) {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&edge](const Item& item) { return item.from == edge.from && item.to == edge.to; });
  return found == items.end() ? nullptr : &*found;
}

void append_report(const bus::Result& sender, const wire::EdgeSpec& edge, std::vector<bus::EdgeReport>& edges) {
  for (const bus::EdgeReport& report : sender.edges) {
    if (report.to == edge.to && report.medium == wire::to_string(edge.medium)) edges.push_back(report);
  }
}

}  // namespace

RunningRecord::RunningRecord(const RecordTasks& record, const Topology& topology, Deadline deadline)
    : id_(record.id), request_(record.request), topology_(&topology), deadline_(deadline) {
  for (const AgentSpec& agent : topology.agents) waiting_.insert(agent.name);
  for (const auto& [agent, task] : record.tasks) {
    if (task.generate) asked_.insert(agent);
    if (!task.targets.empty()) judged_.insert(agent);
  }
}

std::optional<std::string> RunningRecord::missing_from(const std::string& agent, const bus::Result& result) const {
  if (!result.answer && asked_.contains(agent)) return "sent a result without the answer that it was asked for";
  if (!result.target_nats && judged_.contains(agent))
    return "does not say what a right answer costs: its kvmesh is older and does not know targets; run this version "
           "of kvmesh there too";
  return std::nullopt;
}

void RunningRecord::on_result(const std::string& agent, const bus::Result& result) {
  if (waiting_.erase(agent) > 0) results_[agent] = result;
}

RecordOutcome RunningRecord::outcome(std::optional<std::string> error) const {
  RecordOutcome outcome;
  outcome.id = id_;
  outcome.request = request_;
  outcome.error = std::move(error);
  outcome.results = results_;
  for (const auto& [agent, result] : results_) {
    if (result.answer) outcome.answers[agent] = *result.answer;
  }
  for (const Edge& edge : topology_->edges) {
    if (const auto sender = results_.find(edge.spec.from); sender != results_.end()) {
      append_report(sender->second, edge.spec, outcome.edges);
    }
    const auto receiver = results_.find(edge.spec.to);
    if (receiver == results_.end() || edge.spec.medium != wire::Medium::kKv) continue;
    if (const auto* scores = find_edge(receiver->second.scores, edge.spec)) outcome.scores.push_back(*scores);
  }
  if (const auto output = results_.find(topology_->output); output != results_.end()) {
    outcome.output = output->second.answer.value_or("");
    outcome.ttft_ms = output->second.ttft_ms;
    outcome.receiver_ttft_ms = output->second.receiver_ttft_ms;
    outcome.target_nats = output->second.target_nats;
  }
  return outcome;
}

void ScoreAverage::add(const Topology& topology, const RecordOutcome& outcome) {
  std::vector<bus::EdgeScores> sums;
  for (const Edge& edge : topology.edges) {
    if (edge.spec.medium != wire::Medium::kKv) continue;
    const bus::EdgeScores* measured = find_edge(outcome.scores, edge.spec);
    const bus::EdgeScores* before = find_edge(sums_, edge.spec);
    const bool sound = measured != nullptr && !measured->scores.empty() &&
                       std::all_of(measured->scores.begin(), measured->scores.end(),
                                   [](double score) { return std::isfinite(score); }) &&
                       (before == nullptr || before->scores.size() == measured->scores.size());
    if (!sound) {
      throw Error(ErrorKind::kGiveUp, cat("agent ", edge.spec.to, " measured no usable scores for edge ",
                                          wire::describe(edge.spec), " on record ", outcome.id));
    }
    bus::EdgeScores sum = *measured;
    for (std::size_t i = 0; before != nullptr && i < sum.scores.size(); ++i) sum.scores[i] += before->scores[i];
    sums.push_back(std::move(sum));
  }
  sums_ = std::move(sums);
  ++records_;
}

std::vector<bus::EdgeScores> ScoreAverage::mean() const {
  std::vector<bus::EdgeScores> mean = sums_;
  for (bus::EdgeScores& edge : mean) {
    for (double& score : edge.scores) score /= records_;
  }
  return mean;
}

}  // namespace kvmesh::orchestrator
