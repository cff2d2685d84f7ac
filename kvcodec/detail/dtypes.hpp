#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include "base/error.hpp"
#include "kvcodec/wire/tensor_frame.hpp"

namespace kvmesh::kvcodec::detail {

inline wire::Dtype to_wire_dtype(at::ScalarType dtype) {
  if (dtype == at::kFloat) return wire::Dtype::kFloat32;
  if (dtype == at::kBFloat16) return wire::Dtype::kBFloat16;
  if (dtype == at::kHalf) return wire::Dtype::kFloat16;
  if (dtype == at::kByte) return wire::Dtype::kUint8;
  fail_input("a tensor of ", c10::toString(dtype), " cannot be sent: the wire carries f32, bf16, f16 and u8");
}

inline at::ScalarType to_tensor_dtype(wire::Dtype dtype) {
  switch (dtype) {
    case wire::Dtype::kFloat32: return at::kFloat;
    case wire::Dtype::kBFloat16: return at::kBFloat16;
    case wire::Dtype::kFloat16: return at::kHalf;
    case wire::Dtype::kUint8: return at::kByte;
  }
  throw Error(ErrorKind::kGiveUp, cat("a dtype with the number ", static_cast<int>(dtype), " has no tensor type"));
}

}  // namespace kvmesh::kvcodec::detail
