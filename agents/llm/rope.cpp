#include "agents/llm/rope.hpp"

#include <ATen/ATen.h>

namespace kvmesh::llm {

at::Tensor inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim) {
  const at::Tensor exponents = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
  return at::pow(static_cast<float>(rope.theta), exponents).reciprocal();
}

RopeTable rope_table(const at::Tensor& inverse_frequencies, const std::vector<std::int64_t>& positions) {
  const at::Tensor at_positions = at::tensor(positions, at::kLong).to(inverse_frequencies.device(), at::kFloat);
  const at::Tensor angles = at_positions.unsqueeze(1) * inverse_frequencies.unsqueeze(0);
  return {angles.cos().unsqueeze(1), angles.sin().unsqueeze(1)};
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  return at::cat({first * table.cos - second * table.sin, second * table.cos + first * table.sin}, -1)
      .to(x.scalar_type());
}

}  // namespace kvmesh::llm
