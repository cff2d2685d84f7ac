#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/sampling_options.hpp"
#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::orchestrator {

/// How many tokens an answer may have where nobody says.
inline constexpr int kDefaultMaxTokens = 128;

struct ModelSpec {
  std::filesystem::path path;  ///< absolute, of a folder or a .gguf file: what resolve_model() made of `path:`
  std::string dtype = "auto";  ///< "auto", "fp32", "bf16", "fp16"
  std::string device = "cpu";  ///< "cpu", "cuda:N"
  int line = 0;
  bool operator==(const ModelSpec&) const = default;
};

struct GenerateSpec {
  int max_tokens = kDefaultMaxTokens;
  SamplingOptions sampling;
  std::vector<std::string> stop;  ///< the answer ends before the first of these
  bool operator==(const GenerateSpec&) const = default;
};

struct AgentSpec {
  std::string name;
  std::string model;   ///< key of Topology::models
  std::string prompt;  ///< a template, see orchestrator/prompt.hpp
  bool chat = true;    ///< the prompt is a user turn of the checkpoint's chat template
  std::string system;  ///< a template too, for a system message before that turn; empty: none
  std::optional<GenerateSpec> generate;
  std::int64_t keep_mib = -1;  ///< MiB that it keeps for later requests, at most; 0: nothing; below 0: its host's share
  int line = 0;
  bool operator==(const AgentSpec&) const = default;
};

struct Edge {
  wire::EdgeSpec spec;
  int line = 0;
  bool operator==(const Edge&) const = default;
};

/// Who takes part and what flows between them, as the topology file says (docs/topology.md). A value. What
/// load_topology() returns is sound (orchestrator/topology_check.hpp). One that is built in code has no file and no
/// lines; whoever takes it checks it. Lines count from 1.
struct Topology {
  std::filesystem::path file;
  std::string name;
  std::map<std::string, ModelSpec> models;
  std::vector<AgentSpec> agents;  ///< in declared order
  std::vector<Edge> edges;        ///< in declared order
  std::string output;             ///< the agent whose answer is the record's
  int output_line = 0;
  std::optional<std::chrono::milliseconds> liveness;  ///< as OrchestratorOptions::liveness, where that says nothing
  std::optional<std::filesystem::path> calibration;   ///< absolute: records that scores are measured on
  std::optional<std::filesystem::path> profile;       ///< absolute: scores measured before
  std::int64_t keep_mib = -1;  ///< MiB that the agents of one host keep together; below 0: as the host allows
  bool operator==(const Topology&) const = default;
};

const AgentSpec* find_agent(const Topology& topology, const std::string& name);
/// Throws Error{kFixInput} for a name that the topology does not have.
const AgentSpec& get_agent(const Topology& topology, const std::string& name);
const ModelSpec& model_of(const Topology& topology, const AgentSpec& agent);

/// "examples/quickstart/topology.yaml:9", or "topology quickstart" for one that is from no file: where a message sends
/// its reader.
std::string where(const Topology& topology, int line);

}  // namespace kvmesh::orchestrator
