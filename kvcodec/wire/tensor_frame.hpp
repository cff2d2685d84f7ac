#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kvmesh::wire {

/// Element types that travel. Little-endian.
enum class Dtype { kFloat32, kBFloat16, kFloat16, kUint8 };

/// "f32", "bf16", "f16", "u8".
std::string to_string(Dtype dtype);
/// Throws Error{kReconnect} that quotes an unknown name.
Dtype dtype_from_string(const std::string& name);
std::size_t bytes_of(Dtype dtype);

/// What one payload frame holds: a dense row-major tensor. K and V of a layer are [tokens, kv_heads, head_dim].
struct TensorFrame {
  std::string name;  ///< "keys", "values", "text", "vectors", "state"
  Dtype dtype = Dtype::kFloat32;
  std::vector<std::int64_t> shape;
  bool operator==(const TensorFrame&) const = default;

  /// Product of shape times element size. Throws Error{kReconnect} on a negative extent, too high a rank or a product
  /// beyond kMaxTensorElements: lengths are checked before anything is read or allocated.
  std::size_t byte_size() const;
};

}  // namespace kvmesh::wire
