#pragma once

#include <vector>

#include "agents/wiring.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// The layers of the sender whose input its outbound activation edges carry, the last token's state, in the edges'
/// order.
std::vector<int> captured_layers(const Wiring& wiring);

/// The receiver's end: where the state that `message` brings enters its prefill.
llm::Injection injection_of(const InboundEdge& edge, const wire::WireMessage& message);

}  // namespace kvmesh::agents
