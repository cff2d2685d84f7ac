#include "llm/model/weight_sources.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

constexpr const char* kEmbedding = "embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";
/// A tensor that every decoder's first layer has: what tells its prefix.
constexpr const char* kMark = "layers.0.input_layernorm.weight";

/// Looks for tensors in a checkpoint and remembers which it found.
class Finder {
 public:
  explicit Finder(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  WeightSource one(const std::string& name, std::vector<std::int64_t> shape) { return {find(name, std::move(shape))}; }

  /// Tensors of `columns` columns, or of none: name and rows of each.
  using Parts = std::vector<std::pair<std::string, std::int64_t>>;
  WeightSource stacked(const std::string& prefix, const Parts& parts, const std::string& suffix,
                       std::vector<std::int64_t> columns) {
    WeightSource source;
    for (const auto& [name, rows] : parts) {
      std::vector<std::int64_t> shape{rows};
      shape.insert(shape.end(), columns.begin(), columns.end());
      source.push_back(find(prefix + name + suffix, std::move(shape)));
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

LayerSources find_layer(Finder& find, const ModelConfig& c, const std::string& at) {
  const std::int64_t hidden = c.hidden_size, q = c.num_attention_heads * c.head_dim, ffn = c.intermediate_size;
  const std::int64_t kv = c.num_key_value_heads * c.head_dim;
  const std::string attention = at + "self_attn.", mlp = at + "mlp.";
  const Finder::Parts qkv = {{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}};
  const Finder::Parts gate_up = {{"gate_proj", ffn}, {"up_proj", ffn}};

  LayerSources layer;
  layer.attention_norm = find.one(at + "input_layernorm.weight", {hidden});
  if (c.post_norms) {
    layer.after_attention_norm = find.one(at + "post_attention_layernorm.weight", {hidden});
    layer.mlp_norm = find.one(at + "pre_feedforward_layernorm.weight", {hidden});
    layer.after_mlp_norm = find.one(at + "post_feedforward_layernorm.weight", {hidden});
  } else {
    layer.mlp_norm = find.one(at + "post_attention_layernorm.weight", {hidden});
  }
  layer.qkv = find.stacked(attention, qkv, ".weight", {hidden});
  if (c.qkv_bias) layer.qkv_bias = find.stacked(attention, qkv, ".bias", {});
  if (c.qk_norm) {
    layer.q_norm = find.one(attention + "q_norm.weight", {c.head_dim});
    layer.k_norm = find.one(attention + "k_norm.weight", {c.head_dim});
  }
  layer.out = find.one(attention + "o_proj.weight", {hidden, q});
  if (c.attention_output_bias) layer.out_bias = find.one(attention + "o_proj.bias", {hidden});
  layer.gate_up = find.stacked(mlp, gate_up, ".weight", {hidden});
  if (c.mlp_bias) layer.gate_up_bias = find.stacked(mlp, gate_up, ".bias", {});
  layer.down = find.one(mlp + "down_proj.weight", {hidden, ffn});
  if (c.mlp_bias) layer.down_bias = find.one(mlp + "down_proj.bias", {hidden});
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
  for (const std::string& prefix : config.weight_prefixes)
    if (checkpoint.contains(prefix + kMark)) return prefix;
  std::vector<std::string> prefixes;
  for (const std::string& name : checkpoint.names())
    if (const auto prefix = before(name, kMark)) prefixes.push_back(*prefix);
  if (prefixes.empty()) return config.weight_prefixes.front();
  if (prefixes.size() > 1)
    fail_input(checkpoint.source().string(), ": holds decoders behind several prefixes, \"", prefixes[0], "\" and \"",
               prefixes[1], "\"; keep the tensors of one");
  return prefixes.front();
}

/// Where the output matrix may stand: beside the decoder, inside it, or behind no prefix.
std::string find_head(const Checkpoint& checkpoint, const std::string& prefix) {
  const std::string beside = before(prefix, "model.").value_or(prefix);
  for (const std::string& at : {beside, prefix, std::string()})
    if (checkpoint.contains(at + kHead)) return at + kHead;
  return beside + kHead;
}

/// Tied tables are one tensor under either name. Where both stand in the file, each is used as what it is called, as
/// transformers 5 and vLLM do, whatever "tie_word_embeddings" says.
void find_tables(Finder& find, const Checkpoint& checkpoint, const ModelConfig& config, const std::string& prefix,
                 WeightSources& sources) {
  const std::vector<std::int64_t> shape = {config.vocab_size, config.hidden_size};
  const std::string head = find_head(checkpoint, prefix);
  const bool tied = config.tie_word_embeddings;
  const bool head_serves = tied && !checkpoint.contains(prefix + kEmbedding) && checkpoint.contains(head);
  sources.embed_tokens = find.one(head_serves ? head : prefix + kEmbedding, shape);
  sources.lm_head = tied && !checkpoint.contains(head) ? sources.embed_tokens : find.one(head, shape);
  if (tied && sources.lm_head[0].name != sources.embed_tokens[0].name)
    sources.notes.push_back(cat("\"", head, "\" is there and is used, though config.json says tie_word_embeddings"));
  sources.dtype = checkpoint.get(sources.embed_tokens[0].name, shape).dtype;
}

/// Tensors of the decoder itself that are not computed with. Some files carry tables that follow from the config.
void note_unused(const std::string& prefix, WeightSources& sources) {
  std::vector<std::string> odd;
  for (const std::string& name : sources.unused)
    if (name.starts_with(prefix + "layers.") && !name.ends_with("rotary_emb.inv_freq")) odd.push_back(name);
  if (odd.empty()) return;
  const std::string more = odd.size() == 1 ? "" : cat(" and ", odd.size() - 1, " more tensors of its kind");
  sources.notes.push_back(cat("config.json has no use for \"", odd.front(), "\"", more,
                              odd.size() == 1 ? "; it is left out" : "; they are left out"));
}

}  // namespace

WeightSources find_weights(const Checkpoint& checkpoint, const ModelConfig& config) {
  Finder find(checkpoint);
  const std::string prefix = find_prefix(checkpoint, config);
  WeightSources sources;
  sources.notes = checkpoint.notes();
  const auto& usual = config.weight_prefixes;
  if (std::find(usual.begin(), usual.end(), prefix) == usual.end())
    sources.notes.push_back(cat("the decoder's tensors stand behind \"", prefix, "\""));
  find_tables(find, checkpoint, config, prefix, sources);
  sources.final_norm = find.one(prefix + "norm.weight", {config.hidden_size});
  for (std::int64_t l = 0; l < config.num_hidden_layers; ++l)
    sources.layers.push_back(find_layer(find, config, cat(prefix, "layers.", l, ".")));
  sources.unused = find.unused();
  note_unused(prefix, sources);
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
