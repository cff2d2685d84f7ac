#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/snapshot.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// Each returns the frames [envelope, payload...] of one message, ready to go behind a topic. The caller fills in who,
/// what for and how many (mesh, from, to, request, sequence, count, manifest; for a layer also layer, context_start and
/// context_end); kind, tensors, positions and checksum are filled in here.
///
/// A payload frame points into its tensor's memory and keeps the tensor alive: nothing is copied where the tensor is on
/// the CPU and contiguous. Nobody may write to that memory before the frames are gone. Safe from any thread.

/// Frames "keys" and "values". Throws Error{kFixInput} where keys, values and positions do not fit each other.
std::vector<OwnedBytes> encode_layer(const LayerKv& layer, wire::Envelope base);

/// One frame called `name`, of a message of the kind that `base` says: "vectors" [steps, width] of an embedding,
/// "state" [width] of an activation.
std::vector<OwnedBytes> encode_tensor(const at::Tensor& tensor, std::string name, wire::Envelope base);

/// One frame "text" of UTF-8 bytes.
std::vector<OwnedBytes> encode_text(std::string text, wire::Envelope base);

}  // namespace kvmesh::kvcodec
