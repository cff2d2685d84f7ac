#include "orchestrator/calibration.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvcodec/wire/search_cost.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

std::optional<std::string> as_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

}  // namespace

std::optional<std::string> right_answer(const nlohmann::json& record) {
  for (const char* field : {"answer", "answers"}) {
    const auto found = record.find(field);
    if (found == record.end()) continue;
    const bool several = found->is_array() && !found->empty();
    const std::optional<std::string> text = as_text(several ? found->front() : *found);
    if (text && text->find_first_not_of(" \t\r\n") != std::string::npos) return text;
  }
  return std::nullopt;
}

void ask_for_search(const Topology& topology, const nlohmann::json& record, const std::set<EdgeEnds>& edges,
                    const SamplePlace& place, RecordTasks& tasks) {
  for (auto& [agent, task] : tasks.tasks) {
    for (const auto& [from, to] : edges)
      if (to == agent) task.search.push_back(from);
    if (task.search.empty()) continue;
    task.sample = place.sample;
    task.samples = place.samples;
    // How long a search takes is not known before; the orchestrator's deadline begins anew with each sign of progress.
    task.deadline_ms = 0;
    if (const auto answer = right_answer(record); answer && agent == topology.output) {
      task.targets = {*answer};
    } else {
      task.generate = true;
      task.max_tokens = std::min(wire::kOwnTargetTokens, answer_tokens(topology, get_agent(topology, agent)));
    }
  }
}

std::string describe_target(const Topology& topology, const std::string& agent, const nlohmann::json* record) {
  if (record != nullptr && agent == topology.output && right_answer(*record)) return "the record's answer";
  return cat("what ", agent, " itself says when everything is shared");
}

}  // namespace kvmesh::orchestrator
