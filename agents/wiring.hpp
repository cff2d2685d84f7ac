#pragma once

#include <string>
#include <vector>

#include "kvcodec/layer_selection.hpp"
#include "kvcodec/wire/edge_spec.hpp"
#include "kvcodec/wire/envelope.hpp"
#include "kvcodec/wire/manifest.hpp"

namespace kvmesh::agents {

/// An edge as its receiver knows it.
struct InboundEdge {
  wire::EdgeSpec spec;
  wire::Manifest sender;
};

/// An edge as its sender knows it.
struct OutboundEdge {
  wire::EdgeSpec spec;
  wire::Manifest receiver;
  bool carries_sink = true;  ///< kv: this sender is the receiver's first, its first token is the sink everywhere
  /// kv: what numbers travel as on an edge that says `wire: auto`, once that was measured.
  wire::WireDtype chosen_wire = wire::WireDtype::kSame;
  wire::WireDtype wire() const { return spec.wire == wire::WireDtype::kAuto ? chosen_wire : spec.wire; }
  kvcodec::EdgeMeasures measured = {};  ///< kv: what layers are chosen by; of the bytes the sender knows itself
};

/// One agent's place in the mesh. A value.
struct Wiring {
  std::string mesh;
  std::vector<InboundEdge> inbound;  ///< in declared order
  std::vector<OutboundEdge> outbound;
};

/// What came in over each inbound edge for one request, in the order of Wiring::inbound.
using Inbox = std::vector<std::vector<wire::WireMessage>>;

}  // namespace kvmesh::agents
