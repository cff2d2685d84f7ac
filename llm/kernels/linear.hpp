#pragma once

#include <ATen/core/Tensor.h>

#include "llm/model/matrix.hpp"

namespace kvmesh::llm::kernels {

/// Up to as many rows the weights are read once, at the rate of memory. Products of more rows are bound by arithmetic,
/// and the library's are faster from there.
constexpr std::int64_t kFewRows = 8;

/// out [rows, outputs] = input [rows, width] x weight^T [outputs, width] + bias [outputs], which may be undefined. Many
/// rows are multiplied in product_type (llm/runtime.hpp): where that is wider than what they are in, inputs are widened
/// whole and weights 4 MiB at a time. Weights in pieces are widened so too, and multiplied in fp32;
/// few rows of bf16 or fp16 meet quantised ones as whole numbers of 16 bits, 32 to a scale.
void linear(at::Tensor& out, const at::Tensor& input, const Matrix& weight, const at::Tensor& bias);

}  // namespace kvmesh::llm::kernels
