#pragma once

// The product of a few rows with a weight matrix: what decoding spends its time on. Weights stream through once, in
// blocks of kColumns outputs, and each is used for every row while it is in a register.

#include <algorithm>

#include "llm/kernels/lanes.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

/// Rows that share one pass over a block of weights; their sums stand in registers.
constexpr std::int64_t kRowsAtOnce = KVMESH_LANES == 16 ? 8 : 4;

/// Outputs [column, column + C) of rows [row, row + R).
template <class T, int R, int C>
void few_rows_block(const FewRows<T>& task, std::int64_t row, std::int64_t column) {
  constexpr std::int64_t kStep = Run<T>::kElements;
  const std::int64_t width = task.width;
  const T* input = task.input + row * width;
  const T* weight = task.weight + column * width;
  Lanes sums[R][C] = {};
  std::int64_t k = 0;
  for (; k + kStep <= width; k += kStep) {
    Run<T> columns[C];
    for (int c = 0; c < C; ++c) {
      columns[c] = Run<T>::at(weight + c * width + k);
      // The same place of the next block: far enough ahead of memory, and never past a page that will not be read.
      __builtin_prefetch(weight + (C + c) * width + k, 0, 2);
    }
    for (int r = 0; r < R; ++r) {
      const Run<T> x = Run<T>::at(input + r * width + k);
      for (int c = 0; c < C; ++c) sums[r][c] = multiply_add(sums[r][c], x, columns[c]);
    }
  }
  T rest[2][kStep];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      if (k < width) {
        std::memset(rest, 0, sizeof rest);
        std::memcpy(rest[0], input + r * width + k, static_cast<std::size_t>(width - k) * sizeof(T));
        std::memcpy(rest[1], weight + c * width + k, static_cast<std::size_t>(width - k) * sizeof(T));
        sums[r][c] = multiply_add(sums[r][c], Run<T>::at(rest[0]), Run<T>::at(rest[1]));
      }
      float sum = sum_of(sums[r][c]);
      if (task.bias) sum += load_some(task.bias + column + c, 1)[0];
      store_some(task.output + (row + r) * task.outputs + column + c, all(sum), 1);
    }
  }
}

template <class T, int C, int R = 1>
void few_rows_of(const FewRows<T>& task, std::int64_t row, std::int64_t rows, std::int64_t column) {
  if constexpr (R < kRowsAtOnce) {
    if (rows > R) return few_rows_of<T, C, R + 1>(task, row, rows, column);
  }
  few_rows_block<T, R, C>(task, row, column);
}

template <class T, int C>
void few_rows_columns(const FewRows<T>& task, std::int64_t column) {
  for (std::int64_t row = 0; row < task.rows; row += kRowsAtOnce)
    few_rows_of<T, C>(task, row, std::min(kRowsAtOnce, task.rows - row), column);
}

template <class T>
void few_rows(const FewRows<T>& task, Range outputs) {
  std::int64_t column = outputs.begin;
  if (task.rows <= 4)
    for (; column + 4 <= outputs.end; column += 4) few_rows_columns<T, 4>(task, column);
  for (; column + 2 <= outputs.end; column += 2) few_rows_columns<T, 2>(task, column);
  for (; column < outputs.end; ++column) few_rows_columns<T, 1>(task, column);
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS
