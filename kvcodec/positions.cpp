#include "kvcodec/positions.hpp"

#include <ATen/ATen.h>

#include "base/error.hpp"

namespace kvmesh::kvcodec {

at::Tensor rotate_keys(const at::Tensor& keys, std::int64_t delta, const at::Tensor& inv_freq) {
  if (keys.dim() != 3 || inv_freq.dim() != 1) {
    fail_input("rotate_keys needs keys with 3 axes and frequencies with 1, but was given ", keys.dim(), " and ",
               inv_freq.dim());
  }
  const std::int64_t half = inv_freq.size(0);
  const std::int64_t head_dim = keys.size(2);
  if (2 * half > head_dim) {
    fail_input(half, " rotary frequencies turn ", 2 * half, " elements, but a head has ", head_dim);
  }
  if (delta == 0) return keys;

  const at::Tensor angles = inv_freq.to(at::kCPU, at::kDouble) * static_cast<double>(delta);
  const at::Tensor cosine = angles.cos().to(at::kFloat).to(keys.device());
  const at::Tensor sine = angles.sin().to(at::kFloat).to(keys.device());
  const at::Tensor first = keys.narrow(2, 0, half).to(at::kFloat);
  const at::Tensor second = keys.narrow(2, half, half).to(at::kFloat);

  at::Tensor rotated = at::empty(keys.sizes(), keys.options());
  rotated.narrow(2, 0, half).copy_(first * cosine - second * sine);
  rotated.narrow(2, half, half).copy_(second * cosine + first * sine);
  rotated.narrow(2, 2 * half, head_dim - 2 * half).copy_(keys.narrow(2, 2 * half, head_dim - 2 * half));
  return rotated;
}

std::int64_t count_positions(std::span<const wire::PositionRange> ranges) {
  std::int64_t count = 0;
  for (const wire::PositionRange& range : ranges) count += range.count;
  return count;
}

std::vector<std::int64_t> expand_positions(std::span<const wire::PositionRange> ranges) {
  std::vector<std::int64_t> positions;
  positions.reserve(static_cast<std::size_t>(count_positions(ranges)));
  for (const wire::PositionRange& range : ranges) {
    for (std::int64_t i = 0; i < range.count; ++i) positions.push_back(range.first + i);
  }
  return positions;
}

std::vector<wire::PositionRange> compress_positions(std::span<const std::int64_t> positions) {
  std::vector<wire::PositionRange> ranges;
  for (std::int64_t position : positions) {
    if (!ranges.empty() && ranges.back().first + ranges.back().count == position) {
      ++ranges.back().count;
    } else {
      ranges.push_back({.first = position, .count = 1});
    }
  }
  return ranges;
}

std::vector<wire::PositionRange> shift_positions(std::span<const wire::PositionRange> ranges, std::int64_t delta) {
  std::vector<wire::PositionRange> shifted(ranges.begin(), ranges.end());
  for (wire::PositionRange& range : shifted) {
    if (range.first + delta < 0) {
      fail_input("positions from ", range.first, " on cannot be moved by ", delta, ": they would begin before 0");
    }
    range.first += delta;
  }
  return shifted;
}

}  // namespace kvmesh::kvcodec
