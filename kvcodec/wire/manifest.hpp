#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmesh::wire {

/// What a model is to those who share with it. A value; made from config.json alone, before weights are read.
///
/// The fields down to position_convention are what the ends of a kv edge must agree on, and hash() covers exactly
/// them. Depth, width and weights may differ: the paper's pairs are fine-tunes of one base.
struct Manifest {
  std::string family;  ///< "llama", "qwen2", ...: the architecture's maths
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  double rope_theta = 0;
  std::string rope_scaling;                      ///< canonical JSON of the scaling block, "" for none
  std::string position_convention = "continue";  ///< the receiver's tokens follow the sender's

  std::int64_t num_hidden_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t max_position_embeddings = 0;
  bool rope_depends_on_length = false;  ///< frequencies change with the length ("dynamic"): cannot be re-based

  bool operator==(const Manifest&) const = default;

  /// 16 hex digits: XXH3-64 of the agreed fields' canonical JSON, keys sorted (docs/wire.md has the example).
  std::string hash() const;
};

/// Canonical JSON of all fields, keys sorted, no spaces.
std::string to_json(const Manifest& manifest);
/// Throws Error{kReconnect} that names the missing or mistyped field. Unknown keys are skipped.
Manifest manifest_from_json(const std::string& text);

/// One line for each agreed field that differs, with both values: "head_dim: 64 against 128". Empty: the ends fit.
std::vector<std::string> differences(const Manifest& sender, const Manifest& receiver);

}  // namespace kvmesh::wire
