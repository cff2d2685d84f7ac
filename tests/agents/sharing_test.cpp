// KV sharing against golden vectors and against an independent formulation: one model, a dense mask.

#include <algorithm>
#include <cmath>
#include <set>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/layer_selection.hpp"
#include "llm/model/weights.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using agents::exchange;
using agents::ExchangeRequest;

namespace {

wire::EdgeSpec kv_edge(std::vector<int> layers) {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
  edge.layers.layers = std::move(layers);
  return edge;
}

wire::EdgeSpec all_layers() {
  wire::EdgeSpec edge;
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  return edge;
}

ExchangeRequest request(std::vector<std::int64_t> sender, std::vector<std::int64_t> receiver, wire::EdgeSpec edge) {
  ExchangeRequest request;
  request.sender_ids = {std::move(sender)};
  request.receiver_ids = std::move(receiver);
  request.edge = std::move(edge);
  return request;
}

/// The Llama decoder written out in double precision for one sequence of sender and receiver tokens, with a dense mask
/// for each layer: at layers that are not shared, receiver rows see the sender's first token only. Shares no code with
/// the engine beyond reading the file.
class DenseReference {
 public:
  explicit DenseReference(const std::filesystem::path& dir)
      : config_(llm::read_config(dir)), checkpoint_(llm::Checkpoint::open(dir)) {
    for (const std::string& name : checkpoint_.names()) names_.insert(name);
  }

  at::Tensor logits(const std::vector<std::int64_t>& sender, const std::vector<std::int64_t>& receiver,
                    const std::vector<int>& shared) const {
    std::vector<std::int64_t> ids = sender;
    ids.insert(ids.end(), receiver.begin(), receiver.end());
    const auto n = static_cast<std::int64_t>(ids.size()), c = static_cast<std::int64_t>(sender.size());
    at::Tensor x = weight("model.embed_tokens.weight").index_select(0, at::tensor(ids, at::kLong));
    for (int l = 0; l < config_.num_hidden_layers; ++l) {
      at::Tensor hidden = at::ones({n, n}, at::kBool).triu(1);
      const bool whole = l == 0 || std::find(shared.begin(), shared.end(), l) != shared.end();
      if (!whole) hidden.narrow(0, c, n - c).narrow(1, 1, c - 1).fill_(true);
      x = layer(x, "model.layers." + std::to_string(l) + ".", hidden);
    }
    const at::Tensor head = weight(config_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    return norm(x, weight("model.norm.weight")).narrow(0, c, n - c).matmul(head.t());
  }

 private:
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

}  // namespace

TEST_CASE("sharing all layers equals one model that reads the concatenated tokens to 1e-4") {
  for (const auto& dir : {golden_llama(), tiny_model()}) {
    const llm::Model model = llm::Model::load(dir, {.dtype = "fp32"});
    std::vector<std::int64_t> context, query;
    for (std::int64_t i = 0; i < 37; ++i) context.push_back((i * 53 + 7) % 500);
    for (std::int64_t i = 0; i < 19; ++i) query.push_back((i * 29 + 3) % 500);
    const at::Tensor got = exchange(model, model, request(context, query, all_layers())).logits;
    std::vector<std::int64_t> both = context;
    both.insert(both.end(), query.begin(), query.end());
    llm::KvCache cache = model.make_cache(1);
    const at::Tensor want =
        model.forward({.embeddings = model.embed(both), .logits = llm::LogitRows::kAll}, cache).logits;
    CHECK(distance(got, want.narrow(0, 37, 19)) < 1e-4);
  }
}

TEST_CASE("any selection of layers agrees with a dense mask in one double-precision model to 1e-4") {
  const llm::Model model = llm::Model::load(golden_llama(), {.dtype = "fp32"});
  const DenseReference reference(golden_llama());
  std::vector<std::int64_t> context, query;
  for (std::int64_t i = 0; i < 41; ++i) context.push_back((i * 71 + 5) % 512);
  for (std::int64_t i = 0; i < 13; ++i) query.push_back((i * 17 + 9) % 512);
  for (int bits = 0; bits < 16; ++bits) {
    std::vector<int> layers;
    for (int l = 0; l < 4; ++l)
      if (bits >> l & 1) layers.push_back(l);
    CAPTURE(layers);
    const at::Tensor got = exchange(model, model, request(context, query, kv_edge(layers))).logits;
    CHECK(distance(got, reference.logits(context, query, layers)) < 1e-4);
  }
}

TEST_CASE("shared KV at the golden selections gives the reference's logits, argmax and answers") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  const auto stop = llm::read_stop_tokens(tiny_model());
  for (const auto& golden : read_list(source_dir() / "tests/golden/tiny.json", "kvcomm")) {
    for (const auto& want : golden["cases"]) {
      ExchangeRequest asked = request(ids_of(golden["sender_ids"]), ids_of(golden["receiver_ids"]),
                                      kv_edge(want["layers"].get<std::vector<int>>()));
      asked.max_tokens = 12;
      asked.stop_tokens = stop;
      const auto got = exchange(model, model, asked);
      CHECK(argmax_of(got.logits) == ids_of(want["argmax"]));
      CHECK(distance(got.logits.select(0, got.logits.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
      CHECK(got.greedy == ids_of(want["greedy"]));
    }
  }
}

TEST_CASE("calibration scores and every golden ranking are the reference's") {
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  for (const auto& golden : read_list(source_dir() / "tests/golden/tiny.json", "kvcomm")) {
    const auto got =
        exchange(model, model, request(ids_of(golden["sender_ids"]), ids_of(golden["receiver_ids"]), all_layers()));
    REQUIRE(got.scores.size() == 1);
    const auto want = golden["scores"].get<std::vector<double>>();
    for (std::size_t l = 0; l < want.size(); ++l) CHECK(got.scores[0][l] == Approx(want[l]).margin(1e-4));
    for (const auto& [name, ranking] : golden["rankings"].items()) {
      double alpha = 0, mu = 0, sigma = 0;
      REQUIRE(std::sscanf(name.c_str(), "alpha=%lf,mu=%lf,sigma=%lf", &alpha, &mu, &sigma) == 3);
      CAPTURE(name);
      CHECK(kvcodec::rank_layers(kvcodec::layer_scores(got.scores[0], alpha, mu, sigma)) ==
            ranking.get<std::vector<int>>());
    }
  }
}

TEST_CASE("the released code's results are matched where its mask is causal or reproduced") {
  for (const auto& dir : golden_checkpoints()) {
    const llm::Model model = llm::Model::load(dir, {.dtype = "fp32"});
    for (const auto& want : read_list(dir / "golden.json", "kvcomm")) {
      wire::EdgeSpec edge = kv_edge(want["layers_list"].get<std::vector<int>>());
      const bool compact = want["shift_back"].get<bool>();
      edge.positions = compact ? wire::Positions::kCompact : wire::Positions::kContinue;
      edge.mask = compact ? wire::Mask::kCausal : wire::Mask::kAuthors;
      CAPTURE(dir, want["layers_list"].dump(), compact);
      const at::Tensor got = exchange(model, model, request(ids_of(want["ids_A"]), ids_of(want["ids_B"]), edge)).logits;
      CHECK(argmax_of(got) == ids_of(want["argmax"]));
      CHECK(distance(got.select(0, got.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
    }
  }
}
