#include "llm/model/weight_sources.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// How a format calls the tensors; behind most stands ".weight" or ".bias".
struct Spelling {
  const char *embedding, *final_norm, *head, *layers;
  const char *attention_norm, *after_attention_norm;
  const char *mlp_norm, *mlp_norm_between;  ///< the second where there are norms behind attention and MLP
  const char* after_mlp_norm;
  const char *q, *k, *v, *q_norm, *k_norm, *out, *gate, *up, *down;
};

/// Of the classes of transformers.
constexpr Spelling kTransformers = {.embedding = "embed_tokens.weight",
                                    .final_norm = "norm.weight",
                                    .head = "lm_head.weight",
                                    .layers = "layers.",
                                    .attention_norm = "input_layernorm.weight",
                                    .after_attention_norm = "post_attention_layernorm.weight",
                                    .mlp_norm = "post_attention_layernorm.weight",
                                    .mlp_norm_between = "pre_feedforward_layernorm.weight",
                                    .after_mlp_norm = "post_feedforward_layernorm.weight",
                                    .q = "self_attn.q_proj",
                                    .k = "self_attn.k_proj",
                                    .v = "self_attn.v_proj",
                                    .q_norm = "self_attn.q_norm.weight",
                                    .k_norm = "self_attn.k_norm.weight",
                                    .out = "self_attn.o_proj",
                                    .gate = "mlp.gate_proj",
                                    .up = "mlp.up_proj",
                                    .down = "mlp.down_proj"};

/// Of llama.cpp (src/llama-arch.cpp).
constexpr Spelling kGguf = {.embedding = "token_embd.weight",
                            .final_norm = "output_norm.weight",
                            .head = "output.weight",
                            .layers = "blk.",
                            .attention_norm = "attn_norm.weight",
                            .after_attention_norm = "post_attention_norm.weight",
                            .mlp_norm = "ffn_norm.weight",
                            .mlp_norm_between = "ffn_norm.weight",
                            .after_mlp_norm = "post_ffw_norm.weight",
                            .q = "attn_q",
                            .k = "attn_k",
                            .v = "attn_v",
                            .q_norm = "attn_q_norm.weight",
                            .k_norm = "attn_k_norm.weight",
                            .out = "attn_output",
                            .gate = "ffn_gate",
                            .up = "ffn_up",
                            .down = "ffn_down"};

const Spelling& spelling_of(const Checkpoint& checkpoint) { return checkpoint.is_gguf() ? kGguf : kTransformers; }

/// Looks for tensors in a checkpoint and remembers which it found.
class Finder {
 public:
  explicit Finder(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  WeightSource one(const std::string& name, std::vector<std::int64_t> shape) { return {find(name, std::move(shape))}; }

  struct Part {
    const char* name;
    std::int64_t rows;
    std::int64_t interleaved = 0;
  };
  /// Tensors of `columns` columns, or of none.
  using Parts = std::vector<Part>;
  WeightSource stacked(const std::string& prefix, const Parts& parts, const std::string& suffix,
                       std::vector<std::int64_t> columns) {
    WeightSource source;
    for (const Part& part : parts) {
      std::vector<std::int64_t> shape{part.rows};
      shape.insert(shape.end(), columns.begin(), columns.end());
      source.push_back(find(prefix + part.name + suffix, std::move(shape)));
      source.back().interleaved = part.interleaved;
    }
    return source;
  }

  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const std::string& name : checkpoint_.names())
      if (found_.count(name) == 0) names.push_back(name);
    return names;
  }

 private:
  SourceTensor find(const std::string& name, std::vector<std::int64_t> shape) {
    checkpoint_.get(name, shape);
    found_.insert(name);
    return {name, std::move(shape)};
  }

  const Checkpoint& checkpoint_;
  std::set<std::string> found_;
};

LayerSources find_layer(Finder& find, const Spelling& name, const ModelConfig& c, const std::string& at) {
  const std::int64_t hidden = c.hidden_size, q = c.num_attention_heads * c.head_dim, ffn = c.intermediate_size;
  const std::int64_t kv = c.num_key_value_heads * c.head_dim, interleaved = c.interleaved_rows ? c.head_dim : 0;
  const Finder::Parts qkv = {{name.q, q, interleaved}, {name.k, kv, interleaved}, {name.v, kv}};
  const Finder::Parts gate_up = {{name.gate, ffn}, {name.up, ffn}};
  const auto one = [&](const char* tensor, const char* suffix, std::vector<std::int64_t> shape) {
    return find.one(cat(at, tensor, suffix), std::move(shape));
  };

  LayerSources layer;
  layer.attention_norm = one(name.attention_norm, "", {hidden});
  layer.mlp_norm = one(c.post_norms ? name.mlp_norm_between : name.mlp_norm, "", {hidden});
  if (c.post_norms) {
    layer.after_attention_norm = one(name.after_attention_norm, "", {hidden});
    layer.after_mlp_norm = one(name.after_mlp_norm, "", {hidden});
  }
  layer.qkv = find.stacked(at, qkv, ".weight", {hidden});
  if (c.qkv_bias) layer.qkv_bias = find.stacked(at, qkv, ".bias", {});
  if (c.qk_norm) {
    layer.q_norm = one(name.q_norm, "", {c.head_dim});
    layer.k_norm = one(name.k_norm, "", {c.head_dim});
  }
  layer.out = one(name.out, ".weight", {hidden, q});
  if (c.attention_output_bias) layer.out_bias = one(name.out, ".bias", {hidden});
  layer.gate_up = find.stacked(at, gate_up, ".weight", {hidden});
  if (c.mlp_bias) layer.gate_up_bias = find.stacked(at, gate_up, ".bias", {});
  layer.down = one(name.down, ".weight", {hidden, ffn});
  if (c.mlp_bias) layer.down_bias = one(name.down, ".bias", {hidden});
  return layer;
}

/// What stands before `name` in a tensor's name, at a dot or at the beginning; none where it does not end so.
std::optional<std::string> before(std::string_view tensor, std::string_view name) {
  if (!tensor.ends_with(name)) return std::nullopt;
  tensor.remove_suffix(name.size());
  if (!tensor.empty() && !tensor.ends_with('.')) return std::nullopt;
  return std::string(tensor);
}

/// The first of the family's prefixes that the checkpoint has a decoder behind; else the one that it has it behind.
std::string find_prefix(const Checkpoint& checkpoint, const ModelConfig& config) {
  if (checkpoint.is_gguf()) return "";
  // A tensor that every decoder's first layer has.
  const std::string mark = cat(kTransformers.layers, "0.", kTransformers.attention_norm);
  for (const std::string& prefix : config.weight_prefixes)
    if (checkpoint.contains(prefix + mark)) return prefix;
  std::vector<std::string> prefixes;
  for (const std::string& name : checkpoint.names())
    if (const auto prefix = before(name, mark)) prefixes.push_back(*prefix);
  if (prefixes.empty()) return config.weight_prefixes.front();
  if (prefixes.size() > 1)
    fail_input(checkpoint.source().string(), ": holds decoders behind several prefixes, \"", prefixes[0], "\" and \"",
               prefixes[1], "\"; keep the tensors of one");
  return prefixes.front();
}

/// Where the output matrix may stand: beside the decoder, inside it, or behind no prefix.
std::string find_head(const Checkpoint& checkpoint, const std::string& prefix) {
  const char* head = spelling_of(checkpoint).head;
  const std::string beside = before(prefix, "model.").value_or(prefix);
  for (const std::string& at : {beside, prefix, std::string()})
    if (checkpoint.contains(at + head)) return at + head;
  return beside + head;
}

/// Tied tables are one tensor under either name. Where both stand in the file, each is used as what it is called, as
/// transformers 5 and vLLM do, whatever "tie_word_embeddings" says.
void find_tables(Finder& find, const Checkpoint& checkpoint, const ModelConfig& config, const std::string& prefix,
                 WeightSources& sources) {
  const std::vector<std::int64_t> shape = {config.vocab_size, config.hidden_size};
  const std::string head = find_head(checkpoint, prefix), embedding = prefix + spelling_of(checkpoint).embedding;
  const bool tied = config.tie_word_embeddings;
  const bool head_serves = tied && !checkpoint.contains(embedding) && checkpoint.contains(head);
  sources.embed_tokens = find.one(head_serves ? head : embedding, shape);
  sources.lm_head = tied && !checkpoint.contains(head) ? sources.embed_tokens : find.one(head, shape);
  if (tied && sources.lm_head[0].name != sources.embed_tokens[0].name)
    sources.notes.push_back(cat("\"", head, "\" is there and is used, though config.json says tie_word_embeddings"));
  sources.dtype = checkpoint.get(sources.embed_tokens[0].name, shape).dtype;
}

/// Tensors of the decoder itself that are not computed with. Some files carry tables that follow from the config.
void note_unused(const char* configuration, const std::string& layers, WeightSources& sources) {
  std::vector<std::string> odd;
  for (const std::string& name : sources.unused)
    if (name.starts_with(layers) && !name.ends_with("rotary_emb.inv_freq")) odd.push_back(name);
  if (odd.empty()) return;
  const std::string more = odd.size() == 1 ? "" : cat(" and ", odd.size() - 1, " more tensors of its kind");
  sources.notes.push_back(cat(configuration, " has no use for \"", odd.front(), "\"", more,
                              odd.size() == 1 ? "; it is left out" : "; they are left out"));
}

}  // namespace

WeightSources find_weights(const Checkpoint& checkpoint, const ModelConfig& config) {
  Finder find(checkpoint);
  const std::string prefix = find_prefix(checkpoint, config);
  WeightSources sources;
  sources.notes = checkpoint.notes();
  const auto& usual = config.weight_prefixes;
  if (!checkpoint.is_gguf() && std::find(usual.begin(), usual.end(), prefix) == usual.end())
    sources.notes.push_back(cat("the decoder's tensors stand behind \"", prefix, "\""));
  find_tables(find, checkpoint, config, prefix, sources);
  const Spelling& spelling = spelling_of(checkpoint);
  sources.final_norm = find.one(prefix + spelling.final_norm, {config.hidden_size});
  for (std::int64_t l = 0; l < config.num_hidden_layers; ++l)
    sources.layers.push_back(find_layer(find, spelling, config, cat(prefix, spelling.layers, l, ".")));
  for_each_source(sources, [&](const WeightSource& source) {
    for (const SourceTensor& tensor : source)
      if (const StoredDtype dtype = checkpoint.get(tensor.name, tensor.shape).dtype; is_quantised(dtype))
        sources.dtype = dtype;
  });
  sources.unused = find.unused();
  note_unused(checkpoint.is_gguf() ? "its metadata" : "config.json", prefix + spelling.layers, sources);
  return sources;
}

void for_each_source(const WeightSources& sources, const std::function<void(const WeightSource&)>& call) {
  for (const WeightSource* table : {&sources.embed_tokens, &sources.final_norm, &sources.lm_head}) call(*table);
  for (const LayerSources& l : sources.layers)
    for (const WeightSource* source :
         {&l.attention_norm, &l.after_attention_norm, &l.mlp_norm, &l.after_mlp_norm, &l.qkv, &l.qkv_bias, &l.q_norm,
          &l.k_norm, &l.out, &l.out_bias, &l.gate_up, &l.gate_up_bias, &l.down, &l.down_bias})
      call(*source);
}

}  // namespace kvmesh::llm
