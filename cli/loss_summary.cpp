#include "cli/loss_summary.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "cli/table.hpp"
#include "orchestrator/calibration.hpp"
#include "orchestrator/loss_path.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::cli {
namespace {

using orchestrator::Topology;

std::optional<nlohmann::json> first_record(const Topology& topology) {
  if (!topology.calibration) return std::nullopt;
  return orchestrator::read_records(*topology.calibration).all.front();
}

std::optional<orchestrator::Profile> profile_of(const Topology& topology) {
  std::error_code error;
  if (!topology.profile || !std::filesystem::exists(*topology.profile, error)) return std::nullopt;
  return orchestrator::read_profile(*topology.profile);
}

std::string target_of(const Topology& topology, const std::string& agent, const std::optional<nlohmann::json>& record) {
  if (!record && agent == topology.output)
    return cat("the answer of the first input record, or, where it has none, what ", agent, " itself says");
  const std::string target = orchestrator::describe_target(topology, agent, record ? &*record : nullptr);
  const bool could_be_right = agent == topology.output && !orchestrator::right_answer(*record);
  return target + (could_be_right ? "; right answers choose better: give the calibration records an \"answer\"" : "");
}

std::string kept_of(const Topology& topology, const orchestrator::Profile& profile, const wire::EdgeSpec& spec) {
  for (const orchestrator::EdgeProfile& edge : profile.edges) {
    if (edge.from != spec.from || edge.to != spec.to || edge.path.empty()) continue;
    const bus::SharedLayers& enough = orchestrator::smallest_that_keeps(edge, 0.95);
    return cat("; ", orchestrator::describe_set(edge, enough), " (", human_bytes(orchestrator::bytes_of(edge, enough)),
               " a token) keep 95% of what everything gains, says ", topology.profile->filename().string());
  }
  return "";
}

}  // namespace

std::string loss_summary(const Topology& topology) {
  const std::optional<nlohmann::json> record = first_record(topology);
  const std::optional<orchestrator::Profile> profile = profile_of(topology);
  std::string lines;
  for (const orchestrator::Edge& edge : topology.edges) {
    if (!orchestrator::needs_search(edge)) continue;
    const bool bits = edge.spec.wire == wire::WireDtype::kAuto, layers = edge.spec.layers.by_loss();
    lines += cat(wire::describe(edge.spec), ": ", layers ? "layers" : "", layers && bits ? " and " : "",
                 bits ? "bits" : "", " are chosen by what it costs to say ", target_of(topology, edge.spec.to, record),
                 profile ? kept_of(topology, *profile, edge.spec) : "", "\n");
  }
  return lines;
}

}  // namespace kvmesh::cli
