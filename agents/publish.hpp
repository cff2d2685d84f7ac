#pragma once

#include <string>
#include <utility>

#include "bus/node.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::agents {

/// bus::Node::publish() of a message that is sealed when it leaves.
inline void publish(bus::Node& node, const std::string& topic, wire::UnsealedMessage message) {
  node.publish(topic, std::move(message.frames), std::move(message.seal));
}

}  // namespace kvmesh::agents
