#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kvcodec/wire/edge_options.hpp"
#include "kvcodec/wire/manifest.hpp"
#include "orchestrator/topology.hpp"

/// What a topology must be before anybody looks at a model. Files and topologies built in code are held to the same
/// rules: the reader of files asks the functions below for each value, and check_topology() for all of them.
namespace kvmesh::orchestrator {

/// Whether `text` can name a mesh, a model or an agent: it stands in topics and file names.
bool is_name(const std::string& text);
inline constexpr const char* kNameRule = "use letters, digits, '_', '-' and '.' only";

extern const std::vector<std::string> kDtypes;
bool is_device(const std::string& text);
inline constexpr const char* kDeviceRule = "write cpu or cuda:0";
inline constexpr wire::WholeRange kMaxTokensRange{1, 2'147'483'647};
inline constexpr wire::WholeRange kKeepMibRange{0, std::int64_t{1} << 24};  ///< to 16 TiB

/// What is wrong with an agent's templates, "PLACE: what is wrong; what to do" each, PLACE being `prompt_place` or
/// `system_place`.
std::vector<std::string> template_problems(const AgentSpec& agent, const std::string& prompt_place,
                                           const std::string& system_place);

/// Parts that a file has and that could not be read: nobody complains that they are missing.
struct UnreadParts {
  std::set<std::string> agents;
  bool edges = false;
};
/// What is wrong between the parts: names that lead nowhere, edges that stand twice or go in a circle, prompts and
/// edges that do not agree on who is read where. "FILE:LINE: what is wrong; what to do", each.
std::vector<std::string> graph_problems(const Topology& topology, const UnreadParts& unread = {});

/// Throws Error{kFixInput} with everything that is wrong with `topology`, values and graph, a line each. `call` is what
/// took it, for the message: "Orchestrator". Looks at no disk.
void check_topology(const Topology& topology, const std::string& call);

/// What is wrong with edges whose ends are these models, and with answers that are longer than a model's positions: one
/// sentence each, with file, line and the numbers; empty: all fits. Agents without a manifest are passed over.
std::vector<std::string> check_ends(const Topology& topology, const std::map<std::string, wire::Manifest>& manifests);

/// Throws Error{kFixInput} with all of `problems`, a line each, where there is one.
void throw_problems(const std::vector<std::string>& problems);

}  // namespace kvmesh::orchestrator
