// Every family against its definition written out in double precision, on tiny random checkpoints.

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "llm/decode/generate.hpp"
#include "tests/agents/families/reference.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

constexpr double kFp32 = 1e-4, kFp16 = 3e-3, kBf16 = 2e-2;

/// A checkpoint on disk and what is expected of it.
struct Case {
  explicit Case(const TinyFamily& family, const std::string& stored = "F32", std::size_t shards = 1)
      : checkpoint(family.config, stored), reference(checkpoint) {
    checkpoint.write(folder.path(), shards);
  }
  Model load(const std::string& dtype = "fp32") const { return Model::load(folder.path(), {.dtype = dtype}); }

  TemporaryFolder folder;
  TinyCheckpoint checkpoint;
  Reference reference;
};

std::vector<std::int64_t> some_ids(std::int64_t count, std::int64_t step) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * step + 11) % 300);
  return ids;
}

at::Tensor all_logits(const Model& model, const std::vector<std::int64_t>& ids) {
  KvCache cache = model.make_cache(1);
  return model.forward({.embeddings = model.embed(ids), .logits = LogitRows::kAll}, cache).logits;
}

double relative(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kDouble) - want).norm() / want.norm()).item<double>();
}

bool dynamic(const TinyFamily& family) { return family.name.find("dynamic") != std::string::npos; }

agents::ExchangeRequest request(const std::vector<std::int64_t>& context, const std::vector<std::int64_t>& query,
                                std::vector<int> layers) {
  agents::ExchangeRequest request;
  request.sender_ids = {context};
  request.receiver_ids = query;
  request.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
  request.edge.layers.layers = std::move(layers);
  return request;
}

bool shared(const std::vector<int>& layers, int layer) {
  return layer == 0 || std::find(layers.begin(), layers.end(), layer) != layers.end();
}

}  // namespace

TEST_CASE("every family gives its definition's logits to 1e-4 in fp32") {
  const auto ids = some_ids(40, 37);
  for (const TinyFamily& family : tiny_families()) {
    INFO(family.name);
    const Case one(family);
    CHECK(distance(all_logits(one.load(), ids), one.reference.logits(ids)) < kFp32);
  }
}

TEST_CASE("every family stays within 2e-2 of its definition in bf16") {
  const auto ids = some_ids(40, 37);
  for (const TinyFamily& family : tiny_families()) {
    INFO(family.name);
    const Case one(family, "BF16");
    CHECK(relative(all_logits(one.load("bf16"), ids), one.reference.logits(ids)) < kBf16);
  }
}

TEST_CASE("every family stays within 3e-3 of its definition in fp16") {
  const auto ids = some_ids(40, 37);
  for (const TinyFamily& family : tiny_families()) {
    INFO(family.name);
    const Case one(family, "F16");
    CHECK(relative(all_logits(one.load("auto"), ids), one.reference.logits(ids)) < kFp16);
  }
}

TEST_CASE("weights in fp16 and bf16, in several shards, are computed in fp32 to 1e-4") {
  const auto ids = some_ids(24, 41);
  for (const TinyFamily& family : tiny_families()) {
    for (const char* stored : {"F16", "BF16"}) {
      INFO(family.name << " in " << stored);
      const Case one(family, stored, /*shards=*/3);
      CHECK(distance(all_logits(one.load(), ids), one.reference.logits(ids)) < kFp32);
    }
  }
}

TEST_CASE("token by token behind a prefill, every family gives its definition's logits") {
  const auto ids = some_ids(40, 29);
  for (const TinyFamily& family : tiny_families()) {
    if (dynamic(family)) continue;
    INFO(family.name);
    const Case one(family);
    const Model model = one.load();
    KvCache cache = model.make_cache(1);
    const std::span<const std::int64_t> all(ids);
    std::vector<at::Tensor> rows;
    const auto first = model.forward({.embeddings = model.embed(all.first(17)), .logits = LogitRows::kAll}, cache);
    rows.push_back(first.logits);
    for (std::size_t i = 17; i < ids.size(); ++i)
      rows.push_back(
          model.forward({.embeddings = model.embed(all.subspan(i, 1)), .phase = Phase::kDecode}, cache).logits);
    CHECK(distance(at::cat(rows), one.reference.logits(ids)) < kFp32);
  }
}

TEST_CASE("windows and chunks: a prompt longer than the prefill chunk gives its definition's logits") {
  for (const TinyFamily& family : tiny_families()) {
    if (family.name != "Mistral, window" && family.name != "Gemma 3, newer spelling") continue;
    INFO(family.name);
    TinyFamily longer = family;
    longer.config["sliding_window"] = 130;
    const Case one(longer);
    const auto ids = some_ids(Model::kPrefillChunk + 60, 37);
    CHECK(distance(all_logits(one.load(), ids), one.reference.logits(ids)) < kFp32);
  }
}

TEST_CASE("shared KV agrees with a dense mask for every family and selection, windows in true positions") {
  const auto context = some_ids(19, 53), query = some_ids(9, 17);
  std::vector<std::int64_t> both = context;
  both.insert(both.end(), query.begin(), query.end());
  const auto c = static_cast<std::int64_t>(context.size()), n = static_cast<std::int64_t>(both.size());
  for (const TinyFamily& family : tiny_families()) {
    if (dynamic(family)) continue;
    const Case one(family);
    const Model model = one.load();
    for (const std::vector<int>& layers : {std::vector<int>{}, {1}, {2}, {1, 3}, {0, 2, 3}, {0, 1, 2, 3}}) {
      INFO(family.name << ", " << layers.size() << " layers");
      const at::Tensor want = one.reference.logits(both, [&](int layer, Sight& sight) {
        if (!shared(layers, layer)) sight.seen.narrow(0, c, n - c).narrow(1, 1, c - 1).fill_(false);
      });
      const at::Tensor got = agents::exchange(model, model, request(context, query, layers)).logits;
      CHECK(distance(got, want.narrow(0, c, n - c)) < kFp32);
    }
  }
}

TEST_CASE("a query behind its window's end does not see the sink, though nothing lies between them") {
  const Case one({"", tiny_config("MistralForCausalLM", {{"sliding_window", 4}})});
  const Model model = one.load();
  const auto query = some_ids(3, 17);
  const auto near = agents::exchange(model, model, request(some_ids(2, 53), query, {}));
  const auto far = agents::exchange(model, model, request(some_ids(30, 53), query, {}));
  // Layer 0 is shared, so only the tokens themselves may differ: at the other layers no shared row is in sight.
  const at::Tensor alone = one.reference.logits(
      [&] {
        std::vector<std::int64_t> ids = some_ids(30, 53);
        ids.insert(ids.end(), query.begin(), query.end());
        return ids;
      }(),
      [&](int layer, Sight& sight) {
        if (layer > 0) sight.seen.narrow(0, 30, 3).narrow(1, 0, 30).fill_(false);
      });
  CHECK(distance(far.logits, alone.narrow(0, 30, 3)) < kFp32);
  CHECK(distance(near.logits, far.logits) > 1e-2);
}

TEST_CASE("the released code's mask with a window: columns of the uncut mask, uniform where nothing is left") {
  const auto context = some_ids(13, 53), query = some_ids(8, 17);
  std::vector<std::int64_t> both = context;
  both.insert(both.end(), query.begin(), query.end());
  const auto c = static_cast<std::int64_t>(context.size()), q = static_cast<std::int64_t>(query.size()), n = c + q;
  for (const std::int64_t window : {3, 9, 14, 40}) {
    const Case one({"", tiny_config("MistralForCausalLM", {{"sliding_window", window}})});
    const Model model = one.load();
    auto asked = request(context, query, {2});
    asked.edge.mask = wire::Mask::kAuthors;
    const at::Tensor want = one.reference.logits(both, [&](int layer, Sight& sight) {
      if (shared({2}, layer)) return;
      sight.alike = at::zeros({n, n}, at::kBool);
      for (std::int64_t i = 0; i < q; ++i) {
        sight.seen.select(0, c + i).fill_(false);
        for (std::int64_t column = 0; column <= q; ++column) {
          const std::int64_t token = column == 0 ? 0 : c + column - 1;
          const bool seen = column <= c + i && c + i - column < window;
          sight.seen[c + i][token] = seen;
          sight.alike[c + i][token] = true;
        }
      }
    });
    INFO("window " << window);
    CHECK(distance(agents::exchange(model, model, asked).logits, want.narrow(0, c, q)) < kFp32);
  }
}

TEST_CASE("several senders of a family with two RoPE bases: keys are re-based with the base of their layer") {
  for (const TinyFamily& family : tiny_families()) {
    if (dynamic(family)) continue;
    INFO(family.name);
    TinyFamily wide = family;
    nlohmann::json& fields = wide.config.contains("text_config") ? wide.config["text_config"] : wide.config;
    if (fields.contains("sliding_window") && fields["sliding_window"].is_number()) fields["sliding_window"] = 100;
    const Case one(wide);
    const Model model = one.load();
    // One token by the second sender, at every layer: what it sees, itself alone, must not depend on where it stands.
    auto asked = request(some_ids(1, 3), some_ids(6, 17), {0, 1, 2, 3, 4, 5, 6});
    asked.edge.layers.kind = wire::LayerChoice::Kind::kAll;
    const std::vector<std::int64_t> first = some_ids(7, 53), second = some_ids(5, 31);
    asked.sender_ids = {first, second};
    std::vector<std::int64_t> all = first;
    all.insert(all.end(), second.begin(), second.end());
    all.insert(all.end(), asked.receiver_ids.begin(), asked.receiver_ids.end());
    const at::Tensor want =
        one.reference.logits(all, [](int, Sight& sight) { sight.seen.narrow(0, 7, 5).narrow(1, 0, 7).fill_(false); });
    CHECK(distance(agents::exchange(model, model, asked).logits, want.narrow(0, 12, 6)) < kFp32);
  }
}

TEST_CASE("dynamic RoPE: each token turns with the frequencies of the length that the sequence had when it came") {
  const Case one({"", tiny_config("LlamaForCausalLM", {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 4.0}}},
                                                       {"max_position_embeddings", 16}})});
  const Model model = one.load();
  const auto ids = some_ids(30, 37);
  KvCache whole = model.make_cache(1), grown = model.make_cache(1);
  model.forward({.embeddings = model.embed(ids), .logits = LogitRows::kNone}, whole);
  const std::span<const std::int64_t> all(ids);
  model.forward({.embeddings = model.embed(all.first(29)), .logits = LogitRows::kNone}, grown);
  model.forward({.embeddings = model.embed(all.subspan(29)), .phase = Phase::kDecode}, grown);
  // The key of the last token is rotated for a length of 30 both times, those before it for 30 and for 29. Layer 0,
  // where keys depend on nothing else.
  const at::Tensor a = whole.layer(0).keys(), b = grown.layer(0).keys();
  CHECK(distance(a.select(0, 29), b.select(0, 29)) < 1e-5);
  CHECK(distance(a.select(0, 20), b.select(0, 20)) > 1e-3);
}

TEST_CASE("dynamic RoPE is refused for sharing, with the reason") {
  const Case one(
      {"", tiny_config("LlamaForCausalLM", {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 4.0}}}})});
  const Model model = one.load();
  CHECK_THROWS_WITH(agents::exchange(model, model, request({1, 2, 3}, {4, 5}, {1})),
                    Catch::Contains("dynamic") && Catch::Contains("length"));
}

TEST_CASE("ends whose local layers rotate with other bases are refused before any work, with both values") {
  auto gemma = [](double base) {
    return tiny_config("Gemma3ForCausalLM", {{"rope_local_base_freq", base}, {"sliding_window_pattern", 2}});
  };
  const Case one({"", gemma(100)}), other({"", gemma(200)});
  CHECK_THROWS_WITH(agents::exchange(one.load(), other.load(), request({1, 2, 3}, {4, 5}, {1})),
                    Catch::Contains("100.0") && Catch::Contains("200.0"));
}

TEST_CASE("these checkpoints feel every field: with another value their definition gives other logits") {
  struct Change {
    const char* family;
    const char* field;
    nlohmann::json value;
  };
  const auto ids = some_ids(40, 37);
  for (const Change& change :
       {Change{"Llama 3.2, llama3 scaling, tied", "rope_scaling", nullptr},
        Change{"Llama, linear scaling in the oldest spelling", "rope_scaling", nullptr},
        Change{"Llama, dynamic scaling, longer than it was trained", "rope_scaling", nullptr},
        Change{"Llama, newer spelling", "rms_norm_eps", 1e-2}, Change{"Mistral, window", "sliding_window", 8},
        Change{"Qwen2, windows in late layers", "max_window_layers", 3},
        Change{"Qwen2, windows by layer_types", "sliding_window", 7},
        Change{"Gemma 2", "attn_logit_softcapping", nullptr}, Change{"Gemma 2", "final_logit_softcapping", nullptr},
        Change{"Gemma 2", "query_pre_attn_scalar", 16}, Change{"Gemma 2", "sliding_window", 8},
        Change{"Gemma 3, older spelling", "rope_local_base_freq", 200.0},
        Change{"Gemma 3, older spelling", "rope_scaling", nullptr},
        Change{"Gemma 3, older spelling", "sliding_window_pattern", 2}}) {
    INFO(change.family << ": " << change.field);
    const auto families = tiny_families();
    const auto found = std::find_if(families.begin(), families.end(),
                                    [&](const TinyFamily& family) { return family.name == change.family; });
    REQUIRE(found != families.end());
    nlohmann::json other = found->config;
    other[change.field] = change.value;
    const TinyCheckpoint as_it_is(found->config), changed(other);
    CHECK(distance(Reference(as_it_is).logits(ids), Reference(changed).logits(ids)) > 10 * kFp32);
  }
}
