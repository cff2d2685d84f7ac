#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.hpp"

namespace kvmesh::orchestrator {

/// What became of one record. A value.
struct RecordOutcome {
  std::string id;
  std::string request;                         ///< under which the mesh worked on it
  std::string output;                          ///< the output agent's answer
  std::map<std::string, std::string> answers;  ///< of every agent that generates, by name
  std::vector<bus::EdgeReport> edges;          ///< in the topology's order
  double ttft_ms = 0;                          ///< of the output agent: from its task's receipt to its first token
  double receiver_ttft_ms = 0;  ///< of the output agent: from the last thing that it waited for to its first token
  std::optional<double> target_nats;           ///< of the output agent, bus::Result::target_nats
  std::vector<bus::EdgeScores> scores;         ///< of a calibrating record, in the topology's order
  std::map<std::string, bus::Result> results;  ///< as the agents sent them, by name
  std::optional<std::string> error;            ///< why there is no output; the rest is then what came before
};

}  // namespace kvmesh::orchestrator
