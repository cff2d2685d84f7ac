#include "llm/model/flops.hpp"

namespace kvmesh::llm {

double forward_flops(const ModelConfig& config, std::int64_t tokens, const std::vector<std::int64_t>& rows_before,
                     std::int64_t logit_rows) {
  const auto n = static_cast<double>(tokens), hidden = static_cast<double>(config.hidden_size);
  const auto q = static_cast<double>(config.num_attention_heads * config.head_dim);
  const auto kv = static_cast<double>(config.num_key_value_heads * config.head_dim);
  const double weights = hidden * (2 * q + 2 * kv + 3 * static_cast<double>(config.intermediate_size));
  double total = 2 * static_cast<double>(logit_rows) * hidden * static_cast<double>(config.vocab_size);
  const std::size_t whole_layers = logit_rows > 0 ? rows_before.size() : rows_before.size() - 1;
  for (std::size_t l = 0; l < whole_layers; ++l)
    total += 2 * n * weights + 4 * q * (n * static_cast<double>(rows_before[l]) + n * (n + 1) / 2);
  if (logit_rows == 0) total += 2 * n * hidden * 2 * kv;
  return total;
}

}  // namespace kvmesh::llm
