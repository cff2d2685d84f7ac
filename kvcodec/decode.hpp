#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "kvcodec/layer_kv.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// Tensors out of messages that wire::decode_message has checked. They view the received frames and keep them alive: no
/// copy, except of a frame that is not aligned for its dtype. They must not be written to. All throw
/// Error{kReconnect} that names the edge, the request and both numbers where the message is not what was asked for.
/// Safe from any thread.

/// Rows of keys and values of `message.envelope.layer`; they must have the receiver's kv_heads and head_dim. Quantised
/// rows come back as bf16, in memory of their own.
LayerKv decode_layer(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim);

/// How many rows decode_layer() would give; the same checks.
std::int64_t rows_in(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim);

/// The same rows written to `keys` and `values` [rows_in, kv_heads, head_dim], converted to their dtype and device: the
/// one copy that a receiver makes.
void decode_layer_into(const wire::WireMessage& message, const at::Tensor& keys, const at::Tensor& values);

/// The same of a message that only wire::read_message has looked at: checks the payload first, or, of plain rows in the
/// dtype of `keys` and `values`, while it is copied, so that each byte is read from memory once. Throws
/// wire::DamagedMessage as wire::check_payload(); `keys` and `values` hold anything then.
void check_and_decode_layer_into(const wire::WireMessage& message, const at::Tensor& keys, const at::Tensor& values);

/// The tensor called `name`, with the shape of its frame.
at::Tensor decode_tensor(const wire::WireMessage& message, const std::string& name);

/// The text of a text message. Bytes that are not UTF-8 are left to the tokenizer.
std::string decode_text(const wire::WireMessage& message);

}  // namespace kvmesh::kvcodec
