#pragma once

#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// Looks at the models, the chat templates and the profile that `topology` names, all on this host, before anything is
/// started: every edge's ends fit, answers fit into the models' positions, agents with `chat: true` have a template,
/// the profile has its edges. Throws Error{kFixInput} with everything that is wrong, a line each.
void check_models(const orchestrator::Topology& topology);

}  // namespace kvmesh::cli
