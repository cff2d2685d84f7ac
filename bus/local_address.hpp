#pragma once

#include <string>

#include "bus/endpoint.hpp"

namespace kvmesh::bus {

/// The address of this host that a peer at `tcp` can reach it by, ready to stand in an Endpoint: "127.0.0.1" towards
/// loopback, the address of the outgoing interface otherwise, "[…]" around an IPv6 one. Asks the routing table and
/// sends nothing. Throws Error, naming the endpoint, where its host cannot be resolved or has no route (kReconnect), or
/// where `tcp` is not a tcp endpoint (kFixInput).
std::string local_address_towards(const Endpoint& tcp);

}  // namespace kvmesh::bus
