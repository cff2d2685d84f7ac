#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instruction_set.hpp"

/// Rows of keys and values in 8 or 4 bits a number and back (after KIVI, arXiv 2402.02750: keys vary by channel, values
/// by token). Asymmetric: x is about code * scale + zero, with scale and zero in fp16 for each group, zero rounded down
/// and scale up, so that a group's codes always reach from its least to its greatest number.
///   keys    a group: up to 64 tokens in a row of one channel; scale and zero [groups, heads, head_dim]
///   values  a group: up to 64 neighbouring channels of one token and head; scale and zero [rows, heads, groups]
/// The last group of either is shorter where 64 does not divide. Codes stand as [rows, heads, head_dim] bytes; in 4
/// bits as [rows, heads, head_dim / 2]: channel i in the low half of a byte, i + head_dim / 2 in the high one.
///
/// Plain loops over memory, without ATen; safe from any thread.
namespace kvmesh::kvcodec {

inline constexpr std::int64_t kQuantGroup = 64;
inline constexpr std::int64_t kMaxQuantHeadDim = 1024;

struct QuantShape {
  std::int64_t rows = 0;
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;  ///< even, at most kMaxQuantHeadDim
  int bits = 8;               ///< 8 or 4

  std::int64_t row_codes() const { return heads * head_dim * bits / 8; }  ///< bytes of codes in a row
  std::int64_t token_groups() const { return (rows + kQuantGroup - 1) / kQuantGroup; }
  std::int64_t channel_groups() const { return (head_dim + kQuantGroup - 1) / kQuantGroup; }
  std::int64_t key_scales() const { return token_groups() * heads * head_dim; }
  std::int64_t value_scales() const { return rows * heads * channel_groups(); }
};

/// One tensor's codes, scales and zeros, wherever they stand. Scales and zeros are fp16.
struct QuantView {
  std::uint8_t* codes = nullptr;
  std::uint16_t* scales = nullptr;
  std::uint16_t* zeros = nullptr;
};

/// The loops for one instruction set. `bf16` and `fp32` are row-major [rows, heads, head_dim]. quantise returns false
/// where a number is not finite or outside fp16's range: such rows cannot travel in these forms.
struct QuantKernels {
  InstructionSet instruction_set;
  bool (*keys_from_bf16)(const std::uint16_t* bf16, QuantShape shape, QuantView to);
  bool (*keys_from_fp32)(const float* fp32, QuantShape shape, QuantView to);
  bool (*values_from_bf16)(const std::uint16_t* bf16, QuantShape shape, QuantView to);
  bool (*values_from_fp32)(const float* fp32, QuantShape shape, QuantView to);
  void (*keys_to_bf16)(QuantView from, QuantShape shape, std::uint16_t* bf16);
  void (*keys_to_fp32)(QuantView from, QuantShape shape, float* fp32);
  void (*values_to_bf16)(QuantView from, QuantShape shape, std::uint16_t* bf16);
  void (*values_to_fp32)(QuantView from, QuantShape shape, float* fp32);
};

/// Those that this process may run (base/instruction_set.hpp), the widest first; the portable one, which takes number
/// by number, is always there. All give the same bits.
std::vector<const QuantKernels*> runnable_quant_kernels();
/// The widest of them, found once.
const QuantKernels& quant_kernels();

}  // namespace kvmesh::kvcodec
