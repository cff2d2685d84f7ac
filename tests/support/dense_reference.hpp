#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "llm/model/checkpoint.hpp"
#include "llm/model/config.hpp"
#include "llm/model/weights.hpp"

namespace kvmesh::test {

/// The Llama decoder written out in double precision for one sequence of sender and receiver tokens, with a dense mask
/// for each layer and head: where nothing is shared, receiver rows see the sender's first token only. Shares no code
/// with the engine beyond reading the file.
class DenseReference {
 public:
  explicit DenseReference(const std::filesystem::path& dir)
      : config_(llm::read_config(dir)), checkpoint_(llm::Checkpoint::open(dir)) {
    for (const std::string& name : checkpoint_.names()) names_.insert(name);
  }

  at::Tensor logits(const std::vector<std::int64_t>& sender, const std::vector<std::int64_t>& receiver,
                    const std::vector<int>& shared) const {
    return run(sender, receiver, [&](int layer, std::int64_t) {
      return layer == 0 || std::find(shared.begin(), shared.end(), layer) != shared.end();
    });
  }
  /// The same where single KV heads are shared: `shared[l]` at layer l, layer 0 among them.
  at::Tensor logits_of_heads(const std::vector<std::int64_t>& sender, const std::vector<std::int64_t>& receiver,
                             const std::vector<std::vector<int>>& shared) const {
    return run(sender, receiver, [&](int layer, std::int64_t head) {
      const std::vector<int>& heads = shared.at(static_cast<std::size_t>(layer));
      return std::find(heads.begin(), heads.end(), head) != heads.end();
    });
  }

 private:
  /// `is_shared(layer, kv_head)`.
  template <typename IsShared>
  at::Tensor run(const std::vector<std::int64_t>& sender, const std::vector<std::int64_t>& receiver,
                 IsShared is_shared) const {
    std::vector<std::int64_t> ids = sender;
    ids.insert(ids.end(), receiver.begin(), receiver.end());
    const auto n = static_cast<std::int64_t>(ids.size()), c = static_cast<std::int64_t>(sender.size());
    const std::int64_t heads = config_.num_attention_heads, group = heads / config_.num_key_value_heads;
    at::Tensor x = weight("model.embed_tokens.weight").index_select(0, at::tensor(ids, at::kLong));
    for (int l = 0; l < config_.num_hidden_layers; ++l) {
      const at::Tensor hidden = at::ones({n, n}, at::kBool).triu(1).repeat({heads, 1, 1});
      for (std::int64_t head = 0; head < heads; ++head)
        if (!is_shared(l, head / group)) hidden.select(0, head).narrow(0, c, n - c).narrow(1, 1, c - 1).fill_(true);
      x = layer(x, "model.layers." + std::to_string(l) + ".", hidden);
    }
    const at::Tensor head = weight(config_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    return norm(x, weight("model.norm.weight")).narrow(0, c, n - c).matmul(head.t());
  }

  at::Tensor weight(const std::string& name) const {
    const auto& c = config_;
    const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
    const std::int64_t h = c.hidden_size, f = c.intermediate_size;
    auto ends = [&](const char* s) { return name.find(s) != std::string::npos; };
    const bool bias = ends(".bias");
    std::vector<std::int64_t> shape;
    if (ends("embed_tokens") || ends("lm_head")) shape = {c.vocab_size, h};
    else if (ends("norm")) shape = {h};
    else if (ends("q_proj")) shape = bias ? std::vector<std::int64_t>{q} : std::vector<std::int64_t>{q, h};
    else if (ends("k_proj") || ends("v_proj"))
      shape = bias ? std::vector<std::int64_t>{kv} : std::vector<std::int64_t>{kv, h};
    else if (ends("o_proj")) shape = bias ? std::vector<std::int64_t>{h} : std::vector<std::int64_t>{h, q};
    else if (ends("down_proj")) shape = bias ? std::vector<std::int64_t>{h} : std::vector<std::int64_t>{h, f};
    else shape = bias ? std::vector<std::int64_t>{f} : std::vector<std::int64_t>{f, h};
    return llm::as_tensor(checkpoint_.get(name, shape)).to(at::kDouble);
  }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    const at::Tensor y = x.matmul(weight(name + ".weight").t());
    return names_.count(name + ".bias") ? y + weight(name + ".bias") : y;
  }
  at::Tensor norm(const at::Tensor& x, const at::Tensor& w) const {
    return x / (x.pow(2).mean(-1, true) + config_.rms_norm_eps).sqrt() * w;
  }
  /// Pair (i, i + d/2) of every head as a complex number, turned by position * theta^(-2i/d).
  at::Tensor rope(const at::Tensor& x) const {
    const std::int64_t d = config_.head_dim;
    const at::Tensor frequency =
        at::pow(config_.ropes.front().theta, -at::arange(0, d, 2, at::kDouble) / static_cast<double>(d));
    const at::Tensor angle = at::arange(x.size(0), at::kDouble).unsqueeze(1) * frequency;
    const at::Tensor turn = at::polar(at::ones_like(angle), angle).unsqueeze(1);
    const at::Tensor z = at::complex(x.narrow(-1, 0, d / 2), x.narrow(-1, d / 2, d / 2)) * turn;
    return at::cat({at::real(z), at::imag(z)}, -1);
  }
  at::Tensor layer(const at::Tensor& x, const std::string& at, const at::Tensor& hidden) const {
    const std::int64_t n = x.size(0), d = config_.head_dim;
    const std::int64_t group = config_.num_attention_heads / config_.num_key_value_heads;
    const at::Tensor in = norm(x, weight(at + "input_layernorm.weight"));
    const at::Tensor q = rope(linear(in, at + "self_attn.q_proj").view({n, -1, d}));
    const at::Tensor k = rope(linear(in, at + "self_attn.k_proj").view({n, -1, d})).repeat_interleave(group, 1);
    const at::Tensor v = linear(in, at + "self_attn.v_proj").view({n, -1, d}).repeat_interleave(group, 1);
    const at::Tensor scores = at::einsum("ihd,jhd->hij", {q, k}) / std::sqrt(static_cast<double>(d));
    const at::Tensor p = scores.masked_fill(hidden, -INFINITY).softmax(-1);
    const at::Tensor y = x + linear(at::einsum("hij,jhd->ihd", {p, v}).reshape({n, -1}), at + "self_attn.o_proj");
    const at::Tensor mid = norm(y, weight(at + "post_attention_layernorm.weight"));
    const at::Tensor gate = linear(mid, at + "mlp.gate_proj");
    return y + linear(gate * gate.sigmoid() * linear(mid, at + "mlp.up_proj"), at + "mlp.down_proj");
  }

  llm::ModelConfig config_;
  llm::Checkpoint checkpoint_;
  std::set<std::string> names_;
};

}  // namespace kvmesh::test
