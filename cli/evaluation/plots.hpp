#pragma once

#include <string>
#include <vector>

#include "cli/evaluation/summary.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/topology.hpp"

/// Drawings as the text of an SVG file.
namespace kvmesh::cli {

/// Exact match over all tasks against bytes an item: a dot with its 95% interval for each method, the methods of
/// `curve` joined by a line, what moves no bytes as a line across. Below it the same of `carried`, where rows have it.
std::string score_plot(const std::vector<SummaryRow>& rows, const std::vector<std::string>& curve);

/// For each edge of the profile that was searched by loss: the loss against bytes per token, attention's beside it,
/// with the knee and what the edge of `topology` shares marked. For each other edge: a bar a layer of the score
/// (minmax, as ranked), the prior as a line, and the layers that the edge of `topology` shares in a stronger colour.
std::string profile_plot(const orchestrator::Topology& topology, const orchestrator::Profile& profile);

}  // namespace kvmesh::cli
