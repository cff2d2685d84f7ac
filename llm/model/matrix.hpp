#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm {

/// A weight [rows, columns] that activations are multiplied by: either a tensor in the compute dtype, or pieces that
/// lie where they were stored (a mapped GGUF file), each in a dtype of its own and never repacked. Products with pieces
/// are computed in fp32 from the very numbers that are stored. A value: copies share the memory.
class Matrix {
 public:
  /// Rows under the rows of the piece before.
  struct Piece {
    StoredDtype dtype = StoredDtype::kFloat;
    OwnedBytes bytes;  ///< rows one after the other, each a whole number of blocks
    std::int64_t rows = 0;
    /// Rows to a head, where they stand as ModelConfig::interleaved_rows says and shall be multiplied in the other
    /// order; 0: they stand as they are.
    std::int64_t interleaved = 0;
  };

  /// Undefined: the family has no such weight.
  Matrix() = default;
  /// A tensor is a matrix; an undefined one an undefined matrix.
  Matrix(at::Tensor dense);  // NOLINT(google-explicit-constructor)
  /// `compute`: dtype of the activations.
  Matrix(std::vector<Piece> pieces, std::int64_t columns, at::ScalarType compute);

  bool defined() const { return rows_ > 0; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  /// Dtype and device of the activations.
  at::TensorOptions options() const { return options_; }
  /// Undefined where it is in pieces.
  const at::Tensor& dense() const { return dense_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  /// Bytes that a product reads.
  double bytes() const;

  /// Rows from `first` on; in pieces, `first` is where a piece begins.
  Matrix from(std::int64_t first) const;
  /// Row `row` into `out` [columns], in the compute dtype. Allocates nothing on the CPU.
  void copy_row(std::int64_t row, void* out) const;
  /// All of it in fp32 [rows, columns], copied.
  at::Tensor widened() const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  at::TensorOptions options_;
  at::Tensor dense_;
  std::vector<Piece> pieces_;
};

}  // namespace kvmesh::llm
