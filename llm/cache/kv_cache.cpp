#include "llm/cache/kv_cache.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

namespace kvmesh::llm {

LayerCache::LayerCache(std::int64_t capacity, std::int64_t kv_heads, std::int64_t head_dim, at::TensorOptions options,
                       MakeRoom room)
    : room_(std::move(room)) {
  c10::InferenceMode guard;
  keys_ = make_store({capacity, kv_heads, head_dim}, options);
  values_ = make_store({capacity, kv_heads, head_dim}, options);
}

at::Tensor LayerCache::make_store(at::IntArrayRef sizes, at::TensorOptions options) const {
  if (!room_ || !options.device().is_cpu()) return at::empty(sizes, options);
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * options.dtype().itemsize();
  const WritableBytes place = room_(bytes);
  if (!place.owner) return at::empty(sizes, options);
  return at::from_blob(
      place.data, sizes, [owner = place.owner](void*) {}, options);
}

void LayerCache::reserve(std::int64_t capacity) {
  if (capacity > keys_.size(0)) {
    c10::InferenceMode guard;
    const std::int64_t rows = std::max(capacity, 2 * keys_.size(0));
    for (at::Tensor* store : {&keys_, &values_}) {
      at::Tensor larger = make_store({rows, store->size(1), store->size(2)}, store->options());
      larger.narrow(0, 0, length()).copy_(store->narrow(0, 0, length()));
      *store = larger;
    }
  }
  positions_.reserve(static_cast<std::size_t>(keys_.size(0)));
}

void LayerCache::append(const at::Tensor& keys, const at::Tensor& values, const std::vector<std::int64_t>& positions) {
  const auto rows = static_cast<std::int64_t>(positions.size());
  TORCH_INTERNAL_ASSERT(keys.sizes() == at::IntArrayRef({rows, keys_.size(1), keys_.size(2)}));
  TORCH_INTERNAL_ASSERT(values.sizes() == keys.sizes());
  c10::InferenceMode guard;
  const Rows ours = extend(positions);
  ours.keys.copy_(keys);
  ours.values.copy_(values);
}

LayerCache::Rows LayerCache::behind(std::int64_t rows) {
  c10::InferenceMode guard;
  reserve(length() + rows);
  return {keys_.narrow(0, length(), rows), values_.narrow(0, length(), rows)};
}

LayerCache::Rows LayerCache::extend(const std::vector<std::int64_t>& positions) {
  Rows rows = behind(static_cast<std::int64_t>(positions.size()));
  if (!positions.empty() && !positions_.empty()) in_order_ = in_order_ && positions_.back() <= positions.front();
  in_order_ = in_order_ && std::is_sorted(positions.begin(), positions.end());
  positions_.insert(positions_.end(), positions.begin(), positions.end());
  return rows;
}

std::int64_t LayerCache::extend_own(std::int64_t rows) {
  const std::int64_t first = length();
  reserve(first + rows);
  if (rows > 0 && first > 0) in_order_ = in_order_ && positions_.back() <= next_position;
  for (std::int64_t i = 0; i < rows; ++i) positions_.push_back(next_position++);
  return first;
}

void LayerCache::drop_own(std::int64_t rows) {
  TORCH_INTERNAL_ASSERT(rows >= 0 && rows <= length() - shared_rows);
  positions_.resize(static_cast<std::size_t>(length() - rows));
  if (!in_order_) in_order_ = std::is_sorted(positions_.begin(), positions_.end());
  next_position -= rows;
}

void LayerCache::hide(std::int64_t head, RowRange rows) {
  TORCH_INTERNAL_ASSERT(head >= 0 && head < keys_.size(1) && rows.begin >= 0 && rows.end <= length());
  if (rows.count() <= 0) return;
  hidden_ends_.resize(static_cast<std::size_t>(keys_.size(1)), 0);
  const auto h = static_cast<std::size_t>(head);
  const std::int64_t first = h == 0 ? 0 : hidden_ends_[h - 1], end = hidden_ends_[h];
  if (end > first) {
    RowRange& last = hidden_[static_cast<std::size_t>(end) - 1];
    TORCH_INTERNAL_ASSERT(last.end <= rows.begin);
    if (last.end == rows.begin) {
      last.end = rows.end;
      return;
    }
  }
  hidden_.insert(hidden_.begin() + end, rows);
  for (std::size_t i = h; i < hidden_ends_.size(); ++i) ++hidden_ends_[i];
}

LayerCache LayerCache::copy() const {
  c10::InferenceMode guard;
  LayerCache other = *this;
  other.keys_ = keys_.clone();
  other.values_ = values_.clone();
  return other;
}

LayerCache LayerCache::shared_alone(std::int64_t own_rows, std::int64_t left_out_begin,
                                    std::int64_t left_out_end) const {
  TORCH_INTERNAL_ASSERT(0 <= left_out_begin && left_out_begin <= left_out_end && left_out_end <= shared_rows);
  c10::InferenceMode guard;
  const std::int64_t rows = shared_rows - (left_out_end - left_out_begin);
  LayerCache other(std::max<std::int64_t>(rows + own_rows, 1), keys_.size(1), keys_.size(2), keys_.options());
  const auto take = [&](std::int64_t begin, std::int64_t end) {
    other.append(keys_.narrow(0, begin, end - begin), values_.narrow(0, begin, end - begin),
                 {positions_.begin() + begin, positions_.begin() + end});
  };
  take(0, left_out_begin);
  take(left_out_end, shared_rows);
  other.next_position = next_position - (length() - shared_rows);
  other.shared_rows = rows;
  return other;
}

KvCache::KvCache(std::int64_t layers, std::int64_t capacity, std::int64_t kv_heads, std::int64_t head_dim,
                 at::TensorOptions options, const MakeRoom& room) {
  for (std::int64_t l = 0; l < layers; ++l) layers_.emplace_back(capacity, kv_heads, head_dim, options, room);
}

void KvCache::reserve(std::int64_t capacity) {
  for (LayerCache& layer : layers_) layer.reserve(capacity);
}

std::vector<std::int64_t> KvCache::lengths() const {
  std::vector<std::int64_t> lengths;
  for (const LayerCache& layer : layers_) lengths.push_back(layer.length());
  return lengths;
}

KvCache KvCache::copy() const {
  KvCache other;
  for (const LayerCache& layer : layers_) other.layers_.push_back(layer.copy());
  return other;
}

}  // namespace kvmesh::llm
