#include "tests/agents/families/reference.hpp"

#include <cmath>

namespace kvmesh::test {

double Reference::number(const std::string& name, double otherwise) const {
  return text_.contains(name) && text_[name].is_number() ? text_[name].get<double>() : otherwise;
}

at::Tensor Reference::weight(const std::string& name) const {
  const std::string prefix = name == "lm_head" ? "" : checkpoint_.multimodal() ? "language_model.model." : "model.";
  const Weight& weight = checkpoint_.weights().at(prefix + name + (name.ends_with(".bias") ? "" : ".weight"));
  return at::tensor(weight.values, at::kFloat).to(at::kDouble).view(weight.shape);
}

at::Tensor Reference::linear(const at::Tensor& x, const std::string& name) const {
  const at::Tensor y = at::einsum("ni,oi->no", {x, weight(name)});
  const std::string bias = (checkpoint_.multimodal() ? "language_model.model." : "model.") + name + ".bias";
  return checkpoint_.weights().count(bias) ? y + weight(name + ".bias") : y;
}

at::Tensor Reference::norm(const at::Tensor& x, const std::string& name) const {
  const at::Tensor root =
      (at::einsum("...i,...i->...", {x, x}) / static_cast<double>(x.size(-1)) + number("rms_norm_eps", 1e-6))
          .sqrt()
          .unsqueeze(-1);
  const at::Tensor w = weight(name);
  return x / root * (checkpoint_.gemma() ? 1 + w : w);
}

bool Reference::local(int layer) const {
  if (text_.contains("layer_types"))
    return text_["layer_types"][static_cast<std::size_t>(layer)] == "sliding_attention";
  if (is("Mistral")) return text_["sliding_window"].is_number();
  if (is("Qwen")) return text_.value("use_sliding_window", false) && layer >= text_["max_window_layers"].get<int>();
  if (is("Gemma2")) return layer % 2 == 0;
  if (is("Gemma3")) return (layer + 1) % text_.value("sliding_window_pattern", 6) != 0;
  return false;
}

std::int64_t Reference::window(int layer) const {
  return local(layer) ? text_["sliding_window"].get<std::int64_t>() : 0;
}

std::vector<double> Reference::frequencies(int layer, std::int64_t n) const {
  const bool other_base = is("Gemma3") && local(layer);
  nlohmann::json rope = nlohmann::json::object();
  double theta = number("rope_theta", is("Gemma3") ? 1e6 : 1e4);
  if (text_.contains("rope_parameters")) {
    rope = text_["rope_parameters"];
    const char* kind = local(layer) ? "sliding_attention" : "full_attention";
    if (rope.contains(kind)) rope = rope[kind];
    theta = rope["rope_theta"];
  } else if (other_base) {
    theta = number("rope_local_base_freq", 1e4);
  } else if (text_.contains("rope_scaling") && text_["rope_scaling"].is_object()) {
    rope = text_["rope_scaling"];
  }
  const std::string type = rope.value("rope_type", rope.value("type", "default"));
  const double factor = rope.value("factor", 1.0), d = static_cast<double>(checkpoint_.head_dim());
  if (type == "dynamic") {
    const double trained = number("max_position_embeddings", 0),
                 length = std::max<double>(static_cast<double>(n), trained);
    theta *= std::pow(factor * length / trained - (factor - 1), d / (d - 2));
  }
  std::vector<double> frequencies;
  for (double i = 0; i < d; i += 2) {
    double f = std::pow(theta, -i / d);
    if (type == "linear") f /= factor;
    if (type == "llama3") {
      const double low = rope["low_freq_factor"], high = rope["high_freq_factor"];
      const double trained = rope["original_max_position_embeddings"], wavelength = 2 * M_PI / f;
      if (wavelength > trained / low) f /= factor;
      else if (wavelength >= trained / high) {
        const double smooth = (trained / wavelength - low) / (high - low);
        f = (1 - smooth) * f / factor + smooth * f;
      }
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

/// Pair (i, i + d/2) of every head as a complex number, turned by position times frequency.
at::Tensor Reference::rotated(const at::Tensor& x, int layer, std::int64_t first_position) const {
  const std::int64_t half = x.size(-1) / 2, end = first_position + x.size(0);
  const at::Tensor frequency = at::tensor(frequencies(layer, end), at::kDouble);
  const at::Tensor angle = at::einsum("n,i->ni", {at::arange(first_position, end, at::kDouble), frequency});
  const at::Tensor turn = at::polar(at::ones_like(angle), angle).unsqueeze(1);
  const at::Tensor z = at::complex(x.narrow(-1, 0, half).contiguous(), x.narrow(-1, half, half).contiguous()) * turn;
  return at::cat({at::real(z), at::imag(z)}, -1);
}

at::Tensor Reference::attention(const at::Tensor& x, const std::string& at, int layer, const Sight& sight,
                                const Run& run) const {
  const std::int64_t n = x.size(0), d = checkpoint_.head_dim(), group = checkpoint_.heads() / checkpoint_.kv_heads();
  at::Tensor q = linear(x, at + "q_proj").view({n, -1, d}), k = linear(x, at + "k_proj").view({n, -1, d});
  if (is("Qwen3") || is("Gemma3")) {
    q = norm(q, at + "q_norm");
    k = norm(k, at + "k_norm");
  }
  k = rotated(k, layer, run.first_position);
  at::Tensor v = linear(x, at + "v_proj").view({n, -1, d});
  if (run.own != nullptr) run.own->push_back({k, v});
  if (run.before != nullptr) {
    const Rows& before = run.before->at(static_cast<std::size_t>(layer));
    k = at::cat({before.keys, k});
    v = at::cat({before.values, v});
  }
  k = k.repeat_interleave(group, 1);
  v = v.repeat_interleave(group, 1);
  const double width = checkpoint_.gemma() ? number("query_pre_attn_scalar", 256) : static_cast<double>(d);
  at::Tensor scores = at::einsum("ihd,jhd->hij", {rotated(q, layer, run.first_position), k}) / std::sqrt(width);
  if (const double cap = number("attn_logit_softcapping", 0); cap > 0) scores = cap * at::tanh(scores / cap);
  const at::Tensor blind = sight.seen.any(-1, /*keepdim=*/true).logical_not();
  scores = scores.masked_fill(blind, 0.0);
  const at::Tensor seen = sight.alike.defined() ? at::where(blind, sight.alike, sight.seen) : sight.seen;
  const at::Tensor p = at::softmax(scores.masked_fill(seen.logical_not(), -INFINITY), -1);
  return linear(at::einsum("hij,jhd->ihd", {p, v}).reshape({n, -1}), at + "o_proj");
}

at::Tensor Reference::mlp(const at::Tensor& x, const std::string& at) const {
  const at::Tensor g = linear(x, at + "gate_proj");
  const at::Tensor gelu = 0.5 * g * (1 + at::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g.pow(3))));
  const at::Tensor gate = checkpoint_.gemma() ? gelu : g / (1 + at::exp(-g));
  return linear(gate * linear(x, at + "up_proj"), at + "down_proj");
}

at::Tensor Reference::logits(const std::vector<std::int64_t>& ids,
                             const std::function<void(int layer, Sight& sight)>& see) const {
  return logits_of({.ids = ids, .see = see});
}

std::vector<Rows> Reference::rows(const std::vector<std::int64_t>& ids, std::int64_t first_position) const {
  std::vector<Rows> rows;
  logits_of({.ids = ids, .first_position = first_position, .own = &rows});
  return rows;
}

at::Tensor Reference::logits_behind(const std::vector<Rows>& before, const std::vector<std::int64_t>& ids,
                                    std::int64_t first_position) const {
  return logits_of({.ids = ids, .first_position = first_position, .before = &before});
}

at::Tensor Reference::logits_of(const Run& run) const {
  const auto n = static_cast<std::int64_t>(run.ids.size());
  at::Tensor x = weight("embed_tokens").index_select(0, at::tensor(run.ids, at::kLong));
  if (checkpoint_.gemma()) x = x * std::sqrt(static_cast<double>(x.size(1)));
  const at::Tensor distance = at::arange(n, at::kLong).unsqueeze(1) - at::arange(n, at::kLong).unsqueeze(0);
  for (int l = 0; l < text_["num_hidden_layers"].get<int>(); ++l) {
    Sight sight{.seen = distance >= 0, .alike = {}};
    if (const std::int64_t w = window(l); w > 0) sight.seen = sight.seen.logical_and(distance < w);
    if (run.before != nullptr) {
      const std::int64_t others = run.before->at(static_cast<std::size_t>(l)).keys.size(0);
      sight.seen = at::cat({at::ones({n, others}, at::kBool), sight.seen}, 1);
    }
    if (run.see) run.see(l, sight);
    const std::string at = "layers." + std::to_string(l) + ".";
    const at::Tensor mixed = attention(norm(x, at + "input_layernorm"), at + "self_attn.", l, sight, run);
    if (checkpoint_.gemma()) {
      x = x + norm(mixed, at + "post_attention_layernorm");
      x = x + norm(mlp(norm(x, at + "pre_feedforward_layernorm"), at + "mlp."), at + "post_feedforward_layernorm");
    } else {
      x = x + mixed;
      x = x + mlp(norm(x, at + "post_attention_layernorm"), at + "mlp.");
    }
  }
  const at::Tensor head = weight(checkpoint_.tied() ? "embed_tokens" : "lm_head");
  const at::Tensor logits = at::einsum("nd,vd->nv", {norm(x, "norm"), head});
  const double cap = number("final_logit_softcapping", 0);
  return cap > 0 ? cap * at::tanh(logits / cap) : logits;
}

}  // namespace kvmesh::test
