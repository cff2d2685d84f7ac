#pragma once

#include <iosfwd>

#include "orchestrator/record_outcome.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// One JSON object on a line (docs/cli.md#run).
void print_json(const orchestrator::RecordOutcome& outcome, std::ostream& out);

/// A few lines for people. Control characters in ids and answers are shown, not sent to the terminal.
void print_readable(const orchestrator::Topology& topology, const orchestrator::RecordOutcome& outcome,
                    std::ostream& out);

}  // namespace kvmesh::cli
