// Sharing KV between random small models, at random selections, lengths and numbers of senders, against one model in
// double precision that sees the whole sequence through a dense mask.

#include <algorithm>
#include <random>

#include "agents/exchange.hpp"
#include "tests/agents/families/reference.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

/// One draw: a model, its prompts, what is shared.
class Draw {
 public:
  explicit Draw(std::uint32_t seed) : random_(seed), checkpoint_(config(), "F32", seed) {
    checkpoint_.write(folder_.path());
    request_.chain = below(3) == 0;
    const int senders = request_.chain ? 2 : 1 + below(3);
    for (int i = 0; i < senders; ++i) request_.sender_ids.push_back(tokens());
    request_.receiver_ids = tokens();
    request_.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
    for (int l = 0; l < layers(); ++l)
      if (below(2) == 0) request_.edge.layers.layers.push_back(l);
  }

  at::Tensor shared() {
    const llm::Model model = llm::Model::load(folder_.path(), {.dtype = "fp32"});
    return agents::exchange(model, model, request_).logits;
  }

  at::Tensor dense() const {
    std::vector<std::int64_t> all;
    for (const auto& ids : request_.sender_ids) all.insert(all.end(), ids.begin(), ids.end());
    all.insert(all.end(), request_.receiver_ids.begin(), request_.receiver_ids.end());
    const auto own = static_cast<std::int64_t>(request_.receiver_ids.size());
    const at::Tensor logits =
        Reference(checkpoint_).logits(all, [this](int layer, Sight& sight) { mask(layer, sight); });
    return logits.narrow(0, logits.size(0) - own, own);
  }

  std::string text() const {
    std::string text = checkpoint_.config().dump() + (request_.chain ? " chain" : "");
    for (const auto& ids : request_.sender_ids) text += " sender of " + std::to_string(ids.size());
    for (int layer : request_.edge.layers.layers) text += " " + std::to_string(layer);
    return text;
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint32_t>(bound)); }
  int layers() const { return checkpoint_.config()["num_hidden_layers"].get<int>(); }

  nlohmann::json config() {
    const char* families[] = {"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"};
    const int kv_heads = 1 + below(3), group = 1 + below(3), head_dim = 4 << below(3);
    return tiny_config(families[below(3)], {{"num_hidden_layers", 1 + below(6)},
                                            {"num_key_value_heads", kv_heads},
                                            {"num_attention_heads", kv_heads * group},
                                            {"hidden_size", kv_heads * group * head_dim},
                                            {"head_dim", head_dim}});
  }

  std::vector<std::int64_t> tokens() {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(1 + below(25)));
    for (std::int64_t& id : ids) id = below(299);
    return ids;
  }

  /// Senders that stand side by side do not see each other; in a chain each sees those before. The receiver sees, at
  /// layers that are shared and at layer 0, every sender's tokens (in a chain the last one's), and the first of all
  /// everywhere.
  void mask(int layer, Sight& sight) const {
    std::int64_t context = 0, last = 0;
    for (const auto& ids : request_.sender_ids) {
      const auto own = static_cast<std::int64_t>(ids.size());
      if (!request_.chain && context > 0) sight.seen.narrow(0, context, own).narrow(1, 0, context).fill_(false);
      last = context;
      context += own;
    }
    const auto& chosen = request_.edge.layers.layers;
    const bool whole = layer == 0 || std::find(chosen.begin(), chosen.end(), layer) != chosen.end();
    const std::int64_t hidden = !whole ? context : request_.chain ? last : 1;
    const std::int64_t own = sight.seen.size(0) - context;
    if (hidden > 1) sight.seen.narrow(0, context, own).narrow(1, 1, hidden - 1).fill_(false);
  }

  std::mt19937 random_;
  TemporaryFolder folder_;
  TinyCheckpoint checkpoint_;
  agents::ExchangeRequest request_;
};

}  // namespace

TEST_CASE("random models, selections, lengths, senders and chains give the logits of one model with a dense mask") {
  for (std::uint32_t seed = 1; seed <= 80; ++seed) {
    Draw draw(seed);
    CAPTURE(seed, draw.text());
    CHECK(distance(draw.shared(), draw.dense()) < 1e-4);
  }
}
