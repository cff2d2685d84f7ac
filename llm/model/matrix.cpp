#include "llm/model/matrix.hpp"

#include <ATen/ATen.h>

#include <cstring>

#include "llm/kernels/launch.hpp"

namespace kvmesh::llm {
namespace {

std::int64_t row_bytes(const Matrix::Piece& piece) {
  return static_cast<std::int64_t>(piece.bytes.size()) / piece.rows;
}

}  // namespace

Matrix::Matrix(at::Tensor dense) {
  if (!dense.defined()) return;
  rows_ = dense.size(0);
  columns_ = dense.size(1);
  options_ = dense.options();
  dense_ = std::move(dense);
}

Matrix::Matrix(std::vector<Piece> pieces, std::int64_t columns, at::ScalarType compute)
    : columns_(columns), options_(compute), pieces_(std::move(pieces)) {
  for (const Piece& piece : pieces_) {
    TORCH_INTERNAL_ASSERT(piece.bytes.size() ==
                          static_cast<std::size_t>(piece.rows * columns / block_length(piece.dtype)) *
                              element_size(piece.dtype));
    rows_ += piece.rows;
  }
}

double Matrix::bytes() const {
  double bytes = dense_.defined() ? static_cast<double>(dense_.nbytes()) : 0;
  for (const Piece& piece : pieces_) bytes += static_cast<double>(piece.bytes.size());
  return bytes;
}

Matrix Matrix::from(std::int64_t first) const {
  if (dense_.defined()) return dense_.narrow(0, first, rows_ - first);
  std::vector<Piece> rest = pieces_;
  while (first > 0) {
    TORCH_INTERNAL_ASSERT(!rest.empty() && rest.front().rows <= first);
    first -= rest.front().rows;
    rest.erase(rest.begin());
  }
  return Matrix(std::move(rest), columns_, options_.dtype().toScalarType());
}

void Matrix::copy_row(std::int64_t row, void* out) const {
  if (dense_.defined()) {
    const std::size_t bytes = static_cast<std::size_t>(columns_) * dense_.element_size();
    std::memcpy(out, static_cast<const char*>(dense_.data_ptr()) + static_cast<std::size_t>(row) * bytes, bytes);
    return;
  }
  TORCH_INTERNAL_ASSERT(pieces_.size() == 1 && pieces_[0].interleaved == 0);
  const at::ScalarType compute = options_.dtype().toScalarType();
  auto* wide =
      static_cast<float*>(compute == at::kFloat ? out : kernels::scratch(columns_ * std::int64_t{sizeof(float)}));
  const kernels::Dequantise task{.dtype = pieces_[0].dtype,
                                 .rows = pieces_[0].bytes.data(),
                                 .row_bytes = row_bytes(pieces_[0]),
                                 .width = columns_,
                                 .output = wide - row * columns_};
  kernels::best_set().dequantise(task, {row, row + 1});
  if (compute == at::kFloat) return;
  kernels::with_element_of(compute, [&]<class T>(T*) {
    kernels::best_set().of<T>().narrow({.input = wide, .output = static_cast<T*>(out), .width = columns_}, {0, 1});
  });
}

at::Tensor Matrix::widened() const {
  if (dense_.defined()) return dense_.to(at::kFloat);
  const at::Tensor wide = at::empty({rows_, columns_}, at::kFloat);
  float* to = kernels::data<float>(wide);
  for (const Piece& piece : pieces_) {
    const kernels::Dequantise task{.dtype = piece.dtype,
                                   .rows = piece.bytes.data(),
                                   .row_bytes = row_bytes(piece),
                                   .width = columns_,
                                   .output = to,
                                   .interleaved = piece.interleaved};
    kernels::share(kernels::best_set().dequantise, task, piece.rows, columns_ * std::int64_t{sizeof(float)});
    to += piece.rows * columns_;
  }
  return wide;
}

}  // namespace kvmesh::llm
