#include "kvcodec/wire/edge_fit.hpp"

#include "base/error.hpp"

namespace kvmesh::wire {
namespace {

/// Collects what is wrong with one edge between two models.
class EndsChecker {
 public:
  EndsChecker(const EdgeSpec& spec, const Manifest& sender, const Manifest& receiver)
      : spec_(spec), sender_(sender), receiver_(receiver) {}

  std::vector<std::string> check() {
    switch (spec_.medium) {
      case Medium::kKv: check_kv(); break;
      case Medium::kText: break;
      case Medium::kEmbedding: check_embedding(); break;
      case Medium::kActivation: check_activation(); break;
    }
    return std::move(problems_);
  }

 private:
  template <typename... Parts>
  void add(const Parts&... parts) {
    problems_.push_back(cat(parts...));
  }

  void check_kv() {
    for (const std::string& difference : differences(sender_, receiver_)) {
      add(difference, " (", spec_.from, " against ", spec_.to, "); kv needs two models that agree on it");
    }
    if (sender_.rope_depends_on_length || receiver_.rope_depends_on_length) {
      const std::string& agent = sender_.rope_depends_on_length ? spec_.from : spec_.to;
      add("the model of ", agent, " scales its RoPE by the length of the sequence (",
          sender_.rope_depends_on_length ? sender_.rope_scaling : receiver_.rope_scaling,
          "), so keys of one length do not fit another; use a model with fixed RoPE");
    }
    const std::int64_t depth = receiver_.num_hidden_layers;
    if (spec_.layers.kind == LayerChoice::Kind::kTop && spec_.layers.top > depth) {
      add("it shares the top ", spec_.layers.top, " layers, and the model of ", spec_.to, " has ", depth,
          "; choose at most ", depth);
    }
    if (spec_.layers.kind == LayerChoice::Kind::kExplicit && !spec_.layers.layers.empty()) {
      check_layer("it shares layer", spec_.layers.layers.back(), spec_.to, depth);
    }
    if (spec_.layers.kind == LayerChoice::Kind::kHeads) check_heads(depth);
  }

  void check_heads(std::int64_t depth) {
    for (const HeadsOfLayer& one : spec_.layers.heads) {
      check_layer("it shares heads of layer", one.layer, spec_.to, depth);
      if (one.heads.empty() || one.heads.back() < receiver_.num_key_value_heads) continue;
      add("it shares KV head ", one.heads.back(), " of layer ", one.layer, ", and the model of ", spec_.to,
          " has KV heads 0 to ", receiver_.num_key_value_heads - 1, "; choose among those");
    }
  }

  void check_embedding() {
    if (sender_.hidden_size == receiver_.hidden_size) return;
    add("the model of ", spec_.from, " is ", sender_.hidden_size, " wide and that of ", spec_.to, " is ",
        receiver_.hidden_size, "; embeddings need the same width");
  }

  void check_activation() {
    check_layer("from_layer is", spec_.from_layer, spec_.from, sender_.num_hidden_layers);
    check_layer("to_layer is", spec_.to_layer, spec_.to, receiver_.num_hidden_layers);
  }

  void check_layer(const std::string& what, int layer, const std::string& agent, std::int64_t depth) {
    if (layer >= 0 && layer < depth) return;
    add(what, " ", layer, ", and the model of ", agent, " has layers 0 to ", depth - 1, "; choose among those");
  }

  const EdgeSpec& spec_;
  const Manifest& sender_;
  const Manifest& receiver_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> unfit_ends(const EdgeSpec& edge, const Manifest& sender, const Manifest& receiver) {
  return EndsChecker(edge, sender, receiver).check();
}

}  // namespace kvmesh::wire
