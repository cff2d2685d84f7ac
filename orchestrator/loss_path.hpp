#pragma once

#include <string>

#include "orchestrator/profile.hpp"

/// What the path of a search by loss says of an edge. Of several records those that check are believed; all sets are of
/// `edge.path`, which is not empty.
namespace kvmesh::orchestrator {

double loss_of(const EdgeProfile& edge, const bus::SharedLayers& set);

/// How much a set keeps of what everything gains: (none - loss) / (none - all). 1 where everything gains nothing.
double kept_share(const EdgeProfile& edge, const bus::SharedLayers& set);

/// The smallest set that keeps `share` of what everything gains.
const bus::SharedLayers& smallest_that_keeps(const EdgeProfile& edge, double share);

/// Bytes of one token that a set takes on its way.
double bytes_of(const EdgeProfile& edge, const bus::SharedLayers& set);

/// "9 of 30 layers", "18 of 90 heads".
std::string describe_set(const EdgeProfile& edge, const bus::SharedLayers& set);

/// The set farthest below the line from nothing to everything, in shares of size and of loss: from there on more bytes
/// buy little.
const bus::SharedLayers& knee(const EdgeProfile& edge);

}  // namespace kvmesh::orchestrator
