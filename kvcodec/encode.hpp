#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/layer_kv.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

// What goes behind a topic: the frames [envelope, payload...] of one message. The caller fills in who, what for and how
// many (mesh, from, to, request, sequence, count, manifest; for a layer also layer, context_start and context_end);
// kind, tensors, positions and checksum are filled in here.
//
// A payload frame points into its tensor's memory and keeps the tensor alive: nothing is copied where the tensor is on
// the CPU and contiguous. Nobody may write to that memory before the frames are gone. Safe from any thread.

/// Rows of one layer as they travel, whoever they go to: a sender with several receivers packs once.
struct PackedRows {
  wire::Encoding encoding = wire::Encoding::kPlain;
  std::vector<wire::TensorFrame> tensors;
  std::vector<OwnedBytes> payload;
  std::vector<wire::PositionRange> positions;
  std::shared_ptr<wire::LateChecksum> checksum;
};

/// The same rows of some KV heads alone, in memory of their own; `heads` ascending. Of no heads: `layer` as it is.
LayerKv only_heads(const LayerKv& layer, const std::vector<std::int32_t>& heads);

/// Converts rows to what `wire` says. kSame gives views of the tensors: nothing is copied where they are on the CPU and
/// contiguous. Other forms are written into memory from `room`, or of their own where that is null. Throws
/// Error{kFixInput} where keys, values and positions do not fit each other, and where int8 or int4 rows hold numbers
/// that fp16 scales cannot express.
PackedRows pack_rows(const LayerKv& layer, wire::WireDtype wire, const MakeRoom& room = nullptr);

/// The packed rows as one message; the caller has filled in `base`. The checksum is computed when the first message of
/// these rows is sealed.
wire::UnsealedMessage address_rows(const PackedRows& rows, wire::Envelope base);

/// pack_rows() as they are, then address_rows(), sealed: frames "keys" and "values". Throws Error{kFixInput} where
/// keys, values and positions do not fit each other.
std::vector<OwnedBytes> encode_layer(const LayerKv& layer, wire::Envelope base);

/// One frame called `name`, of a message of the kind that `base` says: "vectors" [steps, width] of an embedding,
/// "state" [width] of an activation.
std::vector<OwnedBytes> encode_tensor(const at::Tensor& tensor, std::string name, wire::Envelope base);

/// One frame "text" of UTF-8 bytes.
std::vector<OwnedBytes> encode_text(std::string text, wire::Envelope base);

}  // namespace kvmesh::kvcodec
