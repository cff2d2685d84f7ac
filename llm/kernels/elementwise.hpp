#pragma once

// Norms, rotation, gating: each one pass over memory, fp32 inside.

#include "llm/kernels/lanes.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

/// Elements of the vector that begins at `i` of `width`.
KVMESH_INLINE std::int64_t count_at(std::int64_t i, std::int64_t width) {
  return width - i < kLanes ? width - i : kLanes;
}

template <class T>
KVMESH_INLINE Lanes take(const T* from, std::int64_t count) {
  return count == kLanes ? load(from) : load_some(from, count);
}
template <class T>
KVMESH_INLINE void put(T* to, Lanes v, std::int64_t count) {
  if (count == kLanes) store(to, v);
  else store_some(to, v, count);
}

template <class T>
KVMESH_INLINE void normalise_row(const T* x, const T* weight, const float* wide_weight, T* out, std::int64_t width,
                                 float epsilon) {
  Lanes squares = {};
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const Lanes v = take(x + i, count_at(i, width));
    squares += v * v;
  }
  const float scale = 1.0f / std::sqrt(sum_of(squares) / static_cast<float>(width) + epsilon);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const std::int64_t count = count_at(i, width);
    const Lanes v = take(x + i, count) * scale;
    put(out + i, weight ? as_stored(out, v) * take(weight + i, count) : v * take(wide_weight + i, count), count);
  }
}

template <class T>
void rms_norm(const RmsNorm<T>& task, Range rows) {
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    normalise_row(task.input + r * task.width, task.weight, task.wide_weight, task.output + r * task.width, task.width,
                  task.epsilon);
}

template <class T>
KVMESH_INLINE void rotate_head(const T* x, const float* cos, const float* sin, T* out, std::int64_t half) {
  for (std::int64_t i = 0; i < half; i += kLanes) {
    const std::int64_t count = count_at(i, half);
    const Lanes first = take(x + i, count), second = take(x + half + i, count);
    const Lanes c = take(cos + i, count), s = take(sin + i, count);
    put(out + i, first * c - second * s, count);
    put(out + half + i, second * c + first * s, count);
  }
}

template <class T>
void rotate(const Rotate<T>& task, Range tokens) {
  const std::int64_t d = task.head_dim, half = d / 2;
  for (std::int64_t t = tokens.begin; t < tokens.end; ++t) {
    const T* from = task.qkv + t * (task.heads + 2 * task.kv_heads) * d;
    const float *cos = task.cos + t * half, *sin = task.sin + t * half;
    for (std::int64_t h = 0; h < task.heads + task.kv_heads; ++h, from += d) {
      const bool query = h < task.heads;
      T* to = query ? task.queries + (t * task.heads + h) * d : task.keys + (t * task.kv_heads + h - task.heads) * d;
      const T* x = from;
      if (task.head_norm || task.wide_head_norm) {
        normalise_row(x, task.head_norm ? task.head_norm + h * d : nullptr,
                      task.wide_head_norm ? task.wide_head_norm + h * d : nullptr, to, d, task.epsilon);
        x = to;
      }
      rotate_head(x, cos, sin, to, half);
    }
    std::memcpy(task.values + t * task.kv_heads * d, from, static_cast<std::size_t>(task.kv_heads * d) * sizeof(T));
  }
}

KVMESH_INLINE Lanes activated(Lanes x, Activation activation) {
  switch (activation) {
    case Activation::kSilu: return x / (1.0f + exponential(-x));
    case Activation::kGeluTanh: {
      const Lanes inner = 0.7978845608028654f * (x + 0.044715f * x * x * x);  // sqrt(2 / pi)
      return 0.5f * x * (1.0f + hyperbolic_tangent(inner));
    }
  }
  return x;
}

template <class T>
void gate(const Gate<T>& task, Range rows) {
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    const T *gates = task.gate_up + 2 * r * task.width, *ups = gates + task.width;
    T* out = task.output + r * task.width;
    for (std::int64_t i = 0; i < task.width; i += kLanes) {
      const std::int64_t count = count_at(i, task.width);
      const Lanes g = as_stored(out, activated(take(gates + i, count), task.activation));
      put(out + i, g * take(ups + i, count), count);
    }
  }
}

template <class T>
void add(const Add<T>& task, Range elements) {
  const std::int64_t width = elements.end - elements.begin;
  T* sum = task.sum + elements.begin;
  const T* addend = task.addend + elements.begin;
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const std::int64_t count = count_at(i, width);
    put(sum + i, take(sum + i, count) + take(addend + i, count), count);
  }
}

template <class T>
void widen(const Widen<T>& task, Range elements) {
  for (std::int64_t i = elements.begin; i < elements.end; i += kLanes) {
    const std::int64_t count = count_at(i, elements.end);
    const Lanes x = take(task.input + i, count);
    put(task.output + i, task.soft_cap > 0 ? task.soft_cap * hyperbolic_tangent(x / task.soft_cap) : x, count);
  }
}

template <class T>
void narrow(const Narrow<T>& task, Range rows) {
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    const float* from = task.input + r * task.width;
    T* to = task.output + r * task.output_width;
    for (std::int64_t i = 0; i < task.width; i += kLanes) {
      const std::int64_t count = count_at(i, task.width);
      const Lanes x = take(from + i, count);
      put(to + i, task.bias ? x + take(task.bias + i, count) : x, count);
    }
  }
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS
