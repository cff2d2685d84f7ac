#include "cli/record_printer.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

using nlohmann::json;
using orchestrator::RecordOutcome;

json to_json(const RecordOutcome& outcome) {
  json edges = json::array();
  for (const bus::EdgeReport& edge : outcome.edges) {
    edges.push_back({{"from", edge.from},
                     {"to", edge.to},
                     {"medium", edge.medium},
                     {"layers", edge.layers},
                     {"bytes", edge.bytes}});
  }
  json line{{"id", outcome.id},          {"output", outcome.output},   {"answers", outcome.answers},
            {"edges", std::move(edges)}, {"ttft_ms", outcome.ttft_ms}, {"receiver_ttft_ms", outcome.receiver_ttft_ms}};
  if (outcome.error) line["error"] = *outcome.error;
  return line;
}

}  // namespace

void print_json(const RecordOutcome& outcome, std::ostream& out) {
  // A model may stop in the middle of a character: such bytes become U+FFFD.
  out << to_json(outcome).dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
}

void print_readable(const orchestrator::Topology& topology, const RecordOutcome& outcome, std::ostream& out) {
  std::string text = outcome.id + ": ";
  if (outcome.error) {
    out << printable(text + "failed: " + *outcome.error) << '\n';
    return;
  }
  text += trimmed(outcome.output) + '\n';
  for (const auto& [agent, answer] : outcome.answers)
    if (agent != topology.output) text += cat("    ", agent, " said: ", trimmed(answer), '\n');
  for (const bus::EdgeReport& edge : outcome.edges)
    text += cat("    ", edge.from, " -> ", edge.to, ": ", edge.medium,
                edge.layers.empty() ? "" : cat(", ", edge.layers), ", ", edge.bytes, " bytes\n");
  text += cat("    first token after ", static_cast<int>(outcome.ttft_ms + 0.5), " ms\n");
  out << printable(text);
}

}  // namespace kvmesh::cli
