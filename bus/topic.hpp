#pragma once

#include <string>
#include <string_view>

namespace kvmesh::bus {

/// What every topic ends with, and holds nowhere else.
inline constexpr char kTopicEnd = ';';

/// The topic of one edge: "MESH/FROM/TO/MEDIUM;". One edge, one topic, one subscriber. ZeroMQ matches subscriptions by
/// prefix, so the closing ';' is part of it: without it a subscriber of ".../solver" would hear ".../solver2" too.
/// Names are letters, digits, '_', '-' and '.', so none can hold a '/' or a ';'.
std::string edge_topic(std::string_view mesh, std::string_view from, std::string_view to, std::string_view medium);

}  // namespace kvmesh::bus
