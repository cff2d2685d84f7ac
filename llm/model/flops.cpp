#include "llm/model/flops.hpp"

namespace kvmesh::llm {

double forward_flops(const ModelConfig& config, std::int64_t tokens, const std::vector<std::int64_t>& rows_before,
                     std::int64_t logit_rows) {
  const auto n = static_cast<double>(tokens), hidden = static_cast<double>(config.hidden_size);
  const auto q = static_cast<double>(config.num_attention_heads * config.head_dim);
  const auto kv = static_cast<double>(config.num_key_value_heads * config.head_dim);
  const double weights = hidden * (2 * q + 2 * kv + 3 * static_cast<double>(config.intermediate_size));
  double total = 2 * static_cast<double>(logit_rows) * hidden * static_cast<double>(config.vocab_size);
  for (std::int64_t before : rows_before)
    total += 2 * n * weights + 4 * q * (n * static_cast<double>(before) + n * (n + 1) / 2);
  return total;
}

}  // namespace kvmesh::llm
