#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "orchestrator/topology.hpp"

/// What can be known before anything is started. `kvmesh check` shows it, and `run`, `calibrate` and `eval` look at the
/// same before they start, so that they refuse nothing that check has passed for a reason that stood on this host's
/// disk.
namespace kvmesh::cli {

/// How closely models are looked at.
enum class Look {
  kFit,          ///< config.json and chat templates: whether models fit together
  kHeaders,      ///< and tokenizers, and headers and sizes of the weights
  kEveryNumber,  ///< and every weight, for NaN and infinity: as long as the disk takes to read the files
};

/// What is wrong with the weights, tokenizers, chat templates and the profile that `topology` names, all on this host:
/// "FILE:LINE: what is wrong; what to do", each. Models without a path are passed over.
std::vector<std::string> model_problems(const orchestrator::Topology& topology, Look look = Look::kHeaders);

/// Throws Error{kFixInput} with all of model_problems().
void check_models(const orchestrator::Topology& topology);

/// A topology file and its models, both looked at. Throws Error{kFixInput} with everything that is wrong with either.
orchestrator::Topology load_checked(const std::filesystem::path& file, Look look = Look::kHeaders);

}  // namespace kvmesh::cli
