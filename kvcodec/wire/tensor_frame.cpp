#include "kvcodec/wire/tensor_frame.hpp"

#include "base/error.hpp"
#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire {

std::string to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32: return "f32";
    case Dtype::kBFloat16: return "bf16";
    case Dtype::kFloat16: return "f16";
    case Dtype::kUint8: return "u8";
  }
  throw Error(ErrorKind::kGiveUp, cat("a dtype with the number ", static_cast<int>(dtype), " has no name"));
}

Dtype dtype_from_string(const std::string& name) {
  for (Dtype dtype : {Dtype::kFloat32, Dtype::kBFloat16, Dtype::kFloat16, Dtype::kUint8}) {
    if (to_string(dtype) == name) return dtype;
  }
  throw Error(ErrorKind::kReconnect, cat("unknown dtype \"", name, "\": this build reads f32, bf16, f16 and u8"));
}

std::size_t bytes_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32: return 4;
    case Dtype::kBFloat16:
    case Dtype::kFloat16: return 2;
    case Dtype::kUint8: return 1;
  }
  throw Error(ErrorKind::kGiveUp, cat("a dtype with the number ", static_cast<int>(dtype), " has no size"));
}

std::size_t TensorFrame::byte_size() const {
  if (shape.size() > kMaxTensorRank) {
    throw Error(ErrorKind::kReconnect,
                cat("tensor \"", name, "\" has ", shape.size(), " axes, more than the limit of ", kMaxTensorRank));
  }
  std::int64_t elements = 1;
  for (std::int64_t extent : shape) {
    if (extent < 0) {
      throw Error(ErrorKind::kReconnect, cat("tensor \"", name, "\" has a negative extent, ", extent));
    }
    // Divides instead of multiplying: the product of hostile extents would overflow.
    if (extent > 0 && elements > kMaxTensorElements / extent) {
      throw Error(ErrorKind::kReconnect,
                  cat("tensor \"", name, "\" has more than the limit of ", kMaxTensorElements, " elements"));
    }
    elements *= extent;
  }
  return static_cast<std::size_t>(elements) * bytes_of(dtype);
}

}  // namespace kvmesh::wire
