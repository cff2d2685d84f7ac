#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "llm/kernels/tasks.hpp"

namespace kvmesh::llm::kernels {

/// The steps of a decoder over tensors that the caller has allocated. On the CPU they run the kernels of
/// tasks.hpp, on as many threads as at::set_num_threads gave, and allocate nothing; elsewhere
/// (CUDA) the same formulas out of ATen's operators. Tensors are contiguous, of one dtype and device; shapes are
/// asserted.

/// Whether tensors like `x` go through our kernels.
bool ours(const at::Tensor& x);

/// out = RMSNorm(input) [rows, width] with weight [width]; see RmsNorm for what an fp32 weight of a bf16 model means.
/// `out` may be `input`.
void rms_norm(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight, double epsilon);

/// out [rows, width] = activation(gate) * up, of gate_up [rows, 2 width].
void gate(at::Tensor& out, const at::Tensor& gate_up, Activation activation);

/// sum += addend.
void add(at::Tensor& sum, const at::Tensor& addend);

/// out, fp32 = cap * tanh(x / cap), or x where cap is 0.
void widen(at::Tensor& out, const at::Tensor& x, double soft_cap);

/// Takes rows [first, first + tokens) of qkv [rows, heads + 2 kv_heads, head_dim] apart, as Rotate says: queries into
/// the same rows of `queries` [rows, heads, head_dim], keys and values into rows [cache_row, cache_row + tokens) of a
/// layer's cache [capacity, kv_heads, head_dim]. cos, sin: fp32 [rows, head_dim / 2]; head_norm
/// [heads + kv_heads, head_dim] or undefined.
struct RotateRows {
  std::int64_t first = 0;
  std::int64_t tokens = 0;
  std::int64_t cache_row = 0;
};
void rotate(at::Tensor& queries, at::Tensor& keys, at::Tensor& values, const RotateRows& rows, const at::Tensor& qkv,
            const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& head_norm, double epsilon);

/// Runs attention tasks together, every item of all of them on whichever thread is free. CPU only: see `ours`.
template <class T>
void attend(std::span<const Attention<T>> tasks);

}  // namespace kvmesh::llm::kernels
