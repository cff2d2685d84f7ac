#pragma once

#include "kvcodec/wire/edge_spec.hpp"
#include "orchestrator/detail/yaml_fields.hpp"

namespace kvmesh::orchestrator::detail {

/// Reads one entry of a topology's edges. Knows what an edge may say by itself, not whether its ends exist.
wire::EdgeSpec read_edge(const YamlValue& value);

}  // namespace kvmesh::orchestrator::detail
