#include "llm/model/rope.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kvmesh::llm {
namespace {

at::Tensor unscaled(double theta, std::int64_t head_dim) {
  const at::Tensor exponents = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
  return at::pow(static_cast<float>(theta), exponents).reciprocal();
}

double dynamic_theta(const RopeConfig& rope, std::int64_t head_dim, std::int64_t length) {
  const auto original = static_cast<double>(rope.original_length), d = static_cast<double>(head_dim);
  const double stretch = static_cast<double>(std::max(length, rope.original_length)) / original;
  return rope.theta * std::pow(rope.factor * stretch - (rope.factor - 1), d / (d - 2));
}

at::Tensor llama3_scaled(const at::Tensor& frequencies, const RopeConfig& rope) {
  const at::Tensor turns = frequencies * (static_cast<double>(rope.original_length) / (2 * std::numbers::pi));
  const at::Tensor kept =
      ((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)).clamp(0.0, 1.0);
  return (1 - kept) * (frequencies / rope.factor) + kept * frequencies;
}

}  // namespace

at::Tensor inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim, std::int64_t length) {
  switch (rope.scaling) {
    case RopeScaling::kNone: return unscaled(rope.theta, head_dim);
    case RopeScaling::kLinear: return unscaled(rope.theta, head_dim) / rope.factor;
    case RopeScaling::kDynamic: return unscaled(dynamic_theta(rope, head_dim, length), head_dim);
    case RopeScaling::kLlama3: return llama3_scaled(unscaled(rope.theta, head_dim), rope);
    case RopeScaling::kFactors: return unscaled(rope.theta, head_dim) / at::tensor(rope.factors);
  }
  return {};
}

void fill_angles(at::Tensor& cos, at::Tensor& sin, std::int64_t row, const at::Tensor& inverse_frequencies,
                 std::int64_t first, std::int64_t count) {
  TORCH_INTERNAL_ASSERT(cos.size(-1) == inverse_frequencies.size(0) && row + count <= cos.size(0));
  if (!cos.is_cpu()) {
    const at::Tensor positions = at::arange(first, first + count, inverse_frequencies.options());
    const at::Tensor angles = positions.unsqueeze(1) * inverse_frequencies.unsqueeze(0);
    cos.narrow(0, row, count).copy_(angles.cos());
    sin.narrow(0, row, count).copy_(angles.sin());
    return;
  }
  const std::int64_t width = inverse_frequencies.size(0);
  const float* frequencies = inverse_frequencies.data_ptr<float>();
  float *to_cos = cos.data_ptr<float>() + row * width, *to_sin = sin.data_ptr<float>() + row * width;
  for (std::int64_t position = first; position < first + count; ++position) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      *to_cos++ = std::cos(angle);
      *to_sin++ = std::sin(angle);
    }
  }
}

}  // namespace kvmesh::llm
