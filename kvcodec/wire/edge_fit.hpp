#pragma once

#include <string>
#include <vector>

#include "kvcodec/wire/edge_spec.hpp"
#include "kvcodec/wire/manifest.hpp"

namespace kvmesh::wire {

/// Why `edge` cannot lead from a model that is `sender` to one that is `receiver`: a sentence each, with the numbers of
/// both and what to do; empty: it can. Known before weights are read.
/// - kv: the agreed fields of the manifests; RoPE that does not depend on the length; layers that the receiver has
/// - embedding: the same width
/// - activation: from_layer and to_layer that the models have
std::vector<std::string> unfit_ends(const EdgeSpec& edge, const Manifest& sender, const Manifest& receiver);

}  // namespace kvmesh::wire
