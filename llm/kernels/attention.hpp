#pragma once

// Attention over blocks of keys with a running maximum: see Attention in tasks.hpp.

#include <algorithm>
#include <type_traits>

#include "llm/kernels/elementwise.hpp"
#include "llm/kernels/tile.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

/// A hidden score: finite, so that a query which sees nothing gets equal weights and no NaN. Weights that were given
/// before the first visible row vanish when it raises the maximum.
constexpr float kHidden = -1e30f;

/// One item's working memory, inside the caller's scratch.
template <class T>
struct AttentionScratch {
  using E = typename Element<T>::Type;
  static constexpr std::int64_t kPair = Element<T>::kPair;
  E* queries;       // [query rows, head_dim]
  E* keys;          // [head_dim / pair][kKeyBlock][pair]
  E* values;        // [kKeyBlock / pair][padded head_dim][pair]
  E* weights;       // [query rows, kKeyBlock]
  float* scores;    // [query rows, kKeyBlock]
  float* mixed;     // [query rows, padded head_dim]
  float* maximum;   // [query rows]
  float* sum;       // [query rows]
  float* measured;  // [ranges, query rows]

  AttentionScratch(void* memory, std::int64_t rows, std::int64_t head_dim, std::int64_t padded, std::int64_t ranges) {
    auto* next = static_cast<unsigned char*>(memory);
    auto piece = [&next](auto*& pointer, std::int64_t elements) {
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(next);
      next += (elements * static_cast<std::int64_t>(sizeof *pointer) + 63) / 64 * 64;
    };
    piece(queries, rows * head_dim);
    piece(keys, head_dim * kKeyBlock);
    piece(values, kKeyBlock * padded);
    piece(weights, rows * kKeyBlock);
    piece(scores, rows * kKeyBlock);
    piece(mixed, rows * padded);
    piece(maximum, rows);
    piece(sum, rows);
    piece(measured, ranges * rows);
  }
};

template <class T, class E>
KVMESH_INLINE void copy_row(const T* from, E* to, std::int64_t width) {
  if constexpr (sizeof(T) == sizeof(E)) {
    std::memcpy(to, from, static_cast<std::size_t>(width) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < width; i += kLanes)
      put(to + i, take(from + i, count_at(i, width)), count_at(i, width));
  }
}

/// Keys [count, head_dim] transposed to [head_dim / pair][kKeyBlock][pair]; what is missing of the block is zero.
template <class T, class E>
KVMESH_INLINE void pack_keys(const T* keys, std::int64_t stride, std::int64_t count, std::int64_t head_dim, E* packed) {
  constexpr std::int64_t kPair = Element<T>::kPair;
  if (count < kKeyBlock) std::memset(packed, 0, static_cast<std::size_t>(head_dim * kKeyBlock) * sizeof(E));
  for (std::int64_t j = 0; j < count; ++j) {
    const T* key = keys + j * stride;
    if constexpr (sizeof(T) == sizeof(E)) {
      for (std::int64_t s = 0; s < head_dim / kPair; ++s)
        std::memcpy(packed + (s * kKeyBlock + j) * kPair, key + s * kPair, kPair * sizeof(E));
    } else {
      for (std::int64_t s = 0; s < head_dim; s += kLanes) {
        float wide[kLanes];
        const std::int64_t some = count_at(s, head_dim);
        store(wide, take(key + s, some));
        for (std::int64_t i = 0; i < some; ++i) packed[(s + i) * kKeyBlock + j] = wide[i];
      }
    }
  }
}

/// Values [count, head_dim] as [kKeyBlock / pair][padded][pair].
template <class T, class E>
KVMESH_INLINE void pack_values(const T* values, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
                               std::int64_t padded, E* packed) {
  constexpr std::int64_t kPair = Element<T>::kPair;
  for (std::int64_t j = 0; j < kKeyBlock; j += kPair) {
    for (std::int64_t i = 0; i < padded; i += kLanes) {
      const std::int64_t width = std::clamp<std::int64_t>(head_dim - i, 0, kLanes);
      const Lanes first = j < count ? take(values + j * stride + i, width) : Lanes{};
      E* to = packed + j * padded + i * kPair;
      if constexpr (kPair == 1) {
        store(to, first);
      } else {
        const Lanes second = j + 1 < count ? take(values + (j + 1) * stride + i, width) : Lanes{};
        const BitLanes pairs = (BitLanes)first >> 16 | (BitLanes)second;
        std::memcpy(to, &pairs, sizeof pairs);
      }
    }
  }
}

/// One item of an attention task.
template <class T>
struct AttentionItem {
  using E = typename Element<T>::Type;
  const Attention<T>& task;
  std::int64_t kv_head, first, count, group, query_rows, padded;
  AttentionScratch<T> at;

  AttentionItem(const Attention<T>& whole, std::int64_t item, void* scratch)
      : task(whole),
        kv_head(item % task.kv_heads),
        first(item / task.kv_heads * attention_block(task.heads, task.kv_heads)),
        count(std::min(attention_block(task.heads, task.kv_heads), task.tokens - first)),
        group(task.heads / task.kv_heads),
        query_rows(count * group),
        padded((task.head_dim + kLanes - 1) / kLanes * kLanes),
        at(scratch, query_rows, task.head_dim, padded, task.range_count) {}

  /// The query's element of row m: rows are ordered by query, then by head of the group.
  KVMESH_INLINE std::int64_t offset(std::int64_t m) const {
    return ((first + m / group) * task.heads + kv_head * group + m % group) * task.head_dim;
  }

  void begin() {
    for (std::int64_t m = 0; m < query_rows; ++m) {
      copy_row(task.queries + offset(m), at.queries + m * task.head_dim, task.head_dim);
      at.maximum[m] = kHidden;
      at.sum[m] = 0;
    }
    std::fill(at.mixed, at.mixed + query_rows * padded, 0.0f);
    std::fill(at.measured, at.measured + query_rows * task.range_count, 0.0f);
  }

  /// The rows that some query of this item looks at.
  Range rows() const {
    Range rows{task.rows, 0};
    for (std::int64_t query = first; query < first + count; ++query) {
      const Range seen = task.seen[query];
      if (seen.begin >= seen.end) return {0, task.rows};
      rows = {std::min(rows.begin, seen.begin), std::max(rows.end, seen.end)};
    }
    return rows;
  }

  /// Scores of row m as they enter the softmax.
  KVMESH_INLINE void finish_scores(std::int64_t m, std::int64_t row, std::int64_t n) {
    float* scores = at.scores + m * kKeyBlock;
    for (std::int64_t i = 0; i < kKeyBlock; i += kLanes) {
      Lanes s = load(scores + i) * task.scale;
      if (task.soft_cap > 0) s = task.soft_cap * hyperbolic_tangent(s / task.soft_cap);
      store(scores + i, s);
    }
    const Range seen = task.seen[first + m / group];
    for (std::int64_t j = 0; j < std::min(seen.begin - row, n); ++j) scores[j] = kHidden;
    for (std::int64_t j = std::max<std::int64_t>(seen.end - row, 0); j < n; ++j) scores[j] = kHidden;
    // What is not there at all weighs nothing even where everything else is hidden.
    for (std::int64_t j = n; j < kKeyBlock; ++j) scores[j] = -INFINITY;
  }

  /// Turns the scores of row m into weights and brings what was summed so far to the new maximum.
  KVMESH_INLINE void weigh(std::int64_t m, std::int64_t row, std::int64_t n) {
    float* scores = at.scores + m * kKeyBlock;
    Lanes most = all(at.maximum[m]);
    for (std::int64_t i = 0; i < kKeyBlock; i += kLanes) most = larger(load(scores + i), most);
    const float maximum = largest_of(most);
    if (maximum > at.maximum[m]) {
      const float shrink = exponential(all(at.maximum[m] - maximum))[0];
      at.maximum[m] = maximum;
      at.sum[m] *= shrink;
      for (std::int64_t r = 0; r < task.range_count; ++r) at.measured[r * query_rows + m] *= shrink;
      float* mixed = at.mixed + m * padded;
      for (std::int64_t i = 0; i < padded; i += kLanes) store(mixed + i, load(mixed + i) * shrink);
    }
    Lanes sums = {};
    for (std::int64_t i = 0; i < kKeyBlock; i += kLanes) {
      const Lanes p = exponential(load(scores + i) - maximum);
      sums += p;
      store(scores + i, p);
      store(at.weights + m * kKeyBlock + i, as_stored(static_cast<const T*>(nullptr), p));
    }
    at.sum[m] += sum_of(sums);
    for (std::int64_t r = 0; r < task.range_count; ++r) {
      const std::int64_t begin = std::max(task.ranges[r].begin - row, std::int64_t{0});
      const std::int64_t end = std::min(task.ranges[r].end - row, n);
      for (std::int64_t j = begin; j < end; ++j) at.measured[r * query_rows + m] += scores[j];
    }
  }

  void add_rows(std::int64_t row, std::int64_t n) {
    constexpr std::int64_t kPair = Element<T>::kPair;
    const std::int64_t d = task.head_dim, stride = task.kv_heads * d, start = row * stride + kv_head * d;
    pack_keys(task.keys + start, stride, n, d, at.keys);
    multiply<E>(at.queries, d, query_rows, at.keys, d / kPair, kKeyBlock, at.scores, kKeyBlock, /*accumulate=*/false);
    for (std::int64_t m = 0; m < query_rows; ++m) {
      finish_scores(m, row, n);
      weigh(m, row, n);
    }
    pack_values(task.values + start, stride, n, d, padded, at.values);
    multiply<E>(at.weights, kKeyBlock, query_rows, at.values, kKeyBlock / kPair, padded, at.mixed, padded,
                /*accumulate=*/true);
  }

  void end(std::int64_t item) {
    for (std::int64_t m = 0; m < query_rows; ++m) {
      const float* mixed = at.mixed + m * padded;
      T* out = task.output + offset(m);
      for (std::int64_t i = 0; i < task.head_dim; i += kLanes)
        put(out + i, load(mixed + i) / at.sum[m], count_at(i, task.head_dim));
      for (std::int64_t r = 0; r < task.range_count; ++r)
        task.measured[item * task.range_count + r] +=
            static_cast<double>(at.measured[r * query_rows + m]) / static_cast<double>(at.sum[m]);
    }
  }
};

template <class T>
void attend(const Attention<T>& task, std::int64_t item, void* scratch) {
  AttentionItem<T> work(task, item, scratch);
  work.begin();
  const Range rows = work.rows();
  std::int64_t row = rows.begin;
  const auto add_up_to = [&](std::int64_t end) {
    for (; row < end; row += kKeyBlock) work.add_rows(row, std::min(kKeyBlock, end - row));
  };
  if (task.hidden != nullptr) {
    const std::int64_t first = work.kv_head == 0 ? 0 : task.hidden_ends[work.kv_head - 1];
    for (std::int64_t gap = first; gap < task.hidden_ends[work.kv_head]; ++gap) {
      add_up_to(std::min(task.hidden[gap].begin, rows.end));
      row = std::max(task.hidden[gap].end, rows.begin);
    }
  }
  add_up_to(rows.end);
  work.end(item);
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS
