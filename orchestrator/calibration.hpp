#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "orchestrator/tasks.hpp"
#include "orchestrator/topology.hpp"

/// What calibrating records ask of agents.
namespace kvmesh::orchestrator {

/// The agents at the two ends of a kv edge.
using EdgeEnds = std::pair<std::string, std::string>;

/// Where a record stands among those that a search by loss is made on.
struct SamplePlace {
  int sample = 0;  ///< from 0
  int samples = 1;
};

/// The right answer of a record: its field "answer", or the first of its "answers"; none where it has neither.
std::optional<std::string> right_answer(const nlohmann::json& record);

/// Makes calibrating tasks gather what a search of `edges` by loss needs, which the last of the records begins. The
/// agent whose output is asked for is held to the record's right answer; all others, and it where there is none, to
/// what they say themselves when everything is shared.
void ask_for_search(const Topology& topology, const nlohmann::json& record, const std::set<EdgeEnds>& edges,
                    const SamplePlace& place, RecordTasks& tasks);

/// "the record's answer", or "what solver itself says ..." : what the edges into `agent` are searched by.
std::string describe_target(const Topology& topology, const std::string& agent, const nlohmann::json* record);

}  // namespace kvmesh::orchestrator
