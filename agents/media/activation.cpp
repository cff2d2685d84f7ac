#include "agents/media/activation.hpp"

#include "kvcodec/decode.hpp"

namespace kvmesh::agents {

std::vector<int> captured_layers(const Wiring& wiring) {
  std::vector<int> layers;
  for (const OutboundEdge& edge : wiring.outbound)
    if (edge.spec.medium == wire::Medium::kActivation) layers.push_back(edge.spec.from_layer);
  return layers;
}

llm::Injection injection_of(const InboundEdge& edge, const wire::WireMessage& message) {
  return {.layer = edge.spec.to_layer, .state = kvcodec::decode_tensor(message, "state"), .combine = edge.spec.combine};
}

}  // namespace kvmesh::agents
