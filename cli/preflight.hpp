#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// Looks at the models, the chat templates and the profile that `topology` names, all on this host, before anything is
/// started: every edge's ends fit, answers fit into the models' positions, agents with `chat: true` have a template,
/// the profile has its edges. Throws Error{kFixInput} with everything that is wrong, a line each.
void check_models(const orchestrator::Topology& topology);

/// Looks whether what each record shares over kv edges fits behind one another into the receivers' positions, with
/// their own prompts and what they may generate; counted with each agent's tokenizer, on this host. Throws
/// Error{kFixInput} with the first record and the numbers. A record with a prompt that is too long for its own agent's
/// model passes: it fails alone, where it is prefilled.
void check_lengths(const orchestrator::Topology& topology, const std::vector<nlohmann::json>& records);

}  // namespace kvmesh::cli
