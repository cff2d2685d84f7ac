#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "orchestrator/deadlines.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// What one record asks of every agent.
struct RecordTasks {
  std::string id;       ///< the record's
  std::string request;  ///< unique within the mesh's life
  std::map<std::string, bus::Task> tasks;
};

/// A calibrating record asks for no answers: scores come of reading prompts. `targets`: right answers, whose cost the
/// agent whose output is asked for is to say; those of white space alone are left out. Throws Error{kFixInput} that
/// names record and field where a prompt cannot be filled.
RecordTasks make_tasks(const Topology& topology, const nlohmann::json& record, std::uint64_t index,
                       const std::string& request, bool calibrate, std::chrono::milliseconds deadline,
                       const std::vector<std::string>& targets = {});

/// Why make_tasks() would refuse `record`; none: it would not.
std::optional<std::string> record_problem(const Topology& topology, const nlohmann::json& record);

}  // namespace kvmesh::orchestrator
