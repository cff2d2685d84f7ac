#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/instruction_set.hpp"
#include "llm/cache/row_range.hpp"
#include "llm/model/config.hpp"
#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm::kernels {

/// What the kernels compute: plain pointers into contiguous, row-major memory, all owned by the caller, and the table
/// of functions that each instruction set fills. Every function works on a part of its task, so that threads can share
/// it, and is thread-safe on disjoint parts.
///
/// Rounding, the same for every instruction set: elements are widened to fp32, products of bf16 and of fp16 are exact
/// there, sums are fp32 in an order that depends on the instruction set and the row's length alone (not on the number
/// of rows or threads), and a result is rounded to its type once, to nearest even. Where a family's definition rounds
/// in between, the task says so.

/// The bits of a bfloat16 and of an IEEE half.
enum class Bf16 : std::uint16_t {};
enum class Fp16 : std::uint16_t {};

/// Part [begin, end) of a task, or rows of a cache.
using Range = RowRange;

/// output[r, n] = sum over k of input[r, k] * weight[n, k], + bias[n]. Its parts are outputs n. The weights are read
/// once, whatever the number of rows.
template <class T>
struct FewRows {
  const T* input = nullptr;   ///< [rows, width]
  const T* weight = nullptr;  ///< [outputs, width]
  const T* bias = nullptr;    ///< [outputs], or null
  T* output = nullptr;        ///< [rows, outputs]
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int64_t outputs = 0;
};

/// output = x / sqrt(mean(x^2) + epsilon) * weight; its parts are rows. With `weight` the normalised x is rounded
/// before it is multiplied, as Llama defines it; with `wide_weight` nothing is rounded in between (Gemma). One of the
/// two.
template <class T>
struct RmsNorm {
  const T* input = nullptr;            ///< [rows, width]
  const T* weight = nullptr;           ///< [width]
  const float* wide_weight = nullptr;  ///< [width]
  T* output = nullptr;                 ///< [rows, width]; may be `input`
  std::int64_t width = 0;
  float epsilon = 0;
};

/// Takes a fused projection apart: queries and keys are normalised per head where the family does that, rotated
/// (half-split RoPE) and put in their places, values copied. Its parts are tokens.
template <class T>
struct Rotate {
  const T* qkv = nullptr;                 ///< [tokens, heads + 2 kv_heads, head_dim]
  const float* cos = nullptr;             ///< [tokens, head_dim / 2]
  const float* sin = nullptr;             ///< [tokens, head_dim / 2]
  const T* head_norm = nullptr;           ///< [heads + kv_heads, head_dim], as RmsNorm::weight; or null
  const float* wide_head_norm = nullptr;  ///< the same as RmsNorm::wide_weight; or null
  T* queries = nullptr;                   ///< [tokens, heads, head_dim]
  T* keys = nullptr;                      ///< [tokens, kv_heads, head_dim], rows of the cache
  T* values = nullptr;                    ///< [tokens, kv_heads, head_dim], rows of the cache
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  float epsilon = 0;
};

/// output = activation(gate) * up, the activation rounded before the product. Its parts are rows.
template <class T>
struct Gate {
  const T* gate_up = nullptr;  ///< [rows, 2 width]: gate, then up
  T* output = nullptr;         ///< [rows, width]
  std::int64_t width = 0;
  Activation activation = Activation::kSilu;
};

/// a += b over `Range` of elements.
template <class T>
struct Add {
  T* sum = nullptr;
  const T* addend = nullptr;
};

/// output = cap * tanh(input / cap) in fp32, or the input itself where cap is 0: how logits leave. Its parts are
/// elements.
template <class T>
struct Widen {
  const T* input = nullptr;
  float* output = nullptr;
  float soft_cap = 0;
};

/// output[r, i] = input[r, i] + bias[i], rounded: columns of a product that was computed in fp32, on their way to their
/// place among wider rows. Its parts are rows.
template <class T>
struct Narrow {
  const float* input = nullptr;  ///< [rows, width]
  const T* bias = nullptr;       ///< [width], or null
  T* output = nullptr;           ///< [rows, output_width]
  std::int64_t width = 0;
  std::int64_t output_width = 0;
};

/// output[r, k] = what row r of a stored matrix holds, in fp32, exactly. Its parts are rows.
struct Dequantise {
  StoredDtype dtype = StoredDtype::kFloat;  ///< floating-point or quantised
  const std::byte* rows = nullptr;
  std::int64_t row_bytes = 0;
  std::int64_t width = 0;        ///< whole blocks of the dtype
  float* output = nullptr;       ///< [rows, width]
  std::int64_t interleaved = 0;  ///< row r goes to place_of(r, interleaved)
};

/// Where row `row` of a stored matrix stands among its products: of each head of `interleaved` rows, row 2i is number i
/// and row 2i + 1 stands half a head behind it. 0: every row stands where it is.
inline std::int64_t place_of(std::int64_t row, std::int64_t interleaved) {
  if (interleaved == 0) return row;
  const std::int64_t within = row % interleaved;
  return row - within + within / 2 + within % 2 * (interleaved / 2);
}

/// Rows of a stored matrix that are alike.
struct StoredPiece {
  StoredDtype dtype = StoredDtype::kFloat;  ///< floating-point or quantised
  const std::byte* data = nullptr;
  std::int64_t row_bytes = 0;
  std::int64_t rows = 0;
  std::int64_t interleaved = 0;  ///< see place_of
};

/// output[r, n] = sum over k of input[r, k] * weight[n, k], of weights that lie as they are stored, piece under piece,
/// computed in fp32. Its parts are outputs, as they are stored. The weights are read once.
struct StoredRows {
  const float* input = nullptr;  ///< [rows, width]; 8 rows at most
  const StoredPiece* pieces = nullptr;
  std::int64_t piece_count = 0;
  float* output = nullptr;  ///< [rows, outputs]
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int64_t outputs = 0;
  /// The input as RoundActivations makes it: quantised weights meet these. Null: all weights meet `input`.
  const std::int8_t* high = nullptr;
  const std::int8_t* low = nullptr;
  const float* scales = nullptr;
  const float* sums = nullptr;
  const float* half_sums = nullptr;
};

/// Numbers as 16-bit ones, each 32 of them with a scale: number = (256 high + low) * scale, to within the scale, which
/// is the greatest of them over 32512. Its parts are groups of 32.
struct RoundActivations {
  const float* input = nullptr;  ///< [groups, 32]
  std::int8_t* high = nullptr;   ///< [groups, 32]
  std::int8_t* low = nullptr;    ///< [groups, 32], above -128
  float* scales = nullptr;       ///< [groups]
  float* sums = nullptr;         ///< [groups]: of 256 high + low, times the scale
  float* half_sums = nullptr;    ///< [groups, 2]: the same of each 16
};

/// Grouped-query attention with a softmax in fp32 that never holds more than a block of scores (the running maximum of
/// "FlashAttention", Dao et al. 2022). Its parts are items: kv head h and block b of queries are item
/// b * kv_heads + h; see attention_items. Scores are fp32; the weights exp(score - maximum) are rounded to T before
/// they meet the values, the sum that divides them is not.
template <class T>
struct Attention {
  const T* queries = nullptr;  ///< [tokens, heads, head_dim], rotated
  const T* keys = nullptr;     ///< [rows, kv_heads, head_dim]
  const T* values = nullptr;   ///< [rows, kv_heads, head_dim]
  T* output = nullptr;         ///< [tokens, heads, head_dim]
  std::int64_t tokens = 0;
  std::int64_t rows = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  float scale = 1;
  float soft_cap = 0;           ///< score -> soft_cap * tanh(score / soft_cap); 0: none
  const Range* seen = nullptr;  ///< [tokens] rows that each query sees; an empty one: it averages all rows alike
  /// Rows that a kv head does not have and its queries do not see, head after head, each ascending and apart; those of
  /// head h end at hidden_ends[h]. Null: every head has every row.
  const Range* hidden = nullptr;
  const std::int64_t* hidden_ends = nullptr;  ///< [kv_heads]
  /// Sums of probabilities over row ranges: measured[item * range_count + r] += the weight that the item's queries and
  /// heads give to ranges[r].
  const Range* ranges = nullptr;
  std::int64_t range_count = 0;
  double* measured = nullptr;
};

/// Queries that one item of an attention task takes.
inline std::int64_t attention_block(std::int64_t heads, std::int64_t kv_heads) {
  const std::int64_t queries = 128 * kv_heads / heads;
  return queries < 16 ? 16 : queries;
}
template <class T>
std::int64_t attention_items(const Attention<T>& task) {
  const std::int64_t block = attention_block(task.heads, task.kv_heads);
  return (task.tokens + block - 1) / block * task.kv_heads;
}
constexpr std::int64_t kKeyBlock = 64;  ///< rows of the cache that meet an item's queries at once
/// Bytes of scratch, aligned to 64, that a thread needs for an item of the task.
template <class T>
std::int64_t attention_scratch(const Attention<T>& task) {
  const std::int64_t rows = attention_block(task.heads, task.kv_heads) * (task.heads / task.kv_heads);
  const std::int64_t padded = (task.head_dim + 15) / 16 * 16;
  const std::int64_t floats = rows * (2 * padded + 2 * kKeyBlock + 2 + task.range_count) + 2 * kKeyBlock * padded;
  return 4 * floats + 64 * 9;  // each of nine pieces begins on a line of its own
}

template <class T>
struct KernelsOf {
  void (*few_rows)(const FewRows<T>&, Range outputs) = nullptr;
  void (*rms_norm)(const RmsNorm<T>&, Range rows) = nullptr;
  void (*rotate)(const Rotate<T>&, Range tokens) = nullptr;
  void (*gate)(const Gate<T>&, Range rows) = nullptr;
  void (*add)(const Add<T>&, Range elements) = nullptr;
  void (*widen)(const Widen<T>&, Range elements) = nullptr;
  void (*narrow)(const Narrow<T>&, Range rows) = nullptr;
  void (*attend)(const Attention<T>&, std::int64_t item, void* scratch) = nullptr;
};

struct KernelSet {
  InstructionSet instruction_set = InstructionSet::kPortable;
  KernelsOf<Bf16> bf16;
  KernelsOf<Fp16> fp16;
  KernelsOf<float> fp32;
  void (*dequantise)(const Dequantise&, Range rows) = nullptr;
  void (*stored_rows)(const StoredRows&, Range outputs) = nullptr;
  void (*round_activations)(const RoundActivations&, Range groups) = nullptr;

  template <class T>
  const KernelsOf<T>& of() const {
    if constexpr (std::is_same_v<T, float>) return fp32;
    else if constexpr (std::is_same_v<T, Fp16>) return fp16;
    else return bf16;
  }
};

}  // namespace kvmesh::llm::kernels
