// Which of a checkpoint's two tables of tokens embeds and which gives logits, and tensors behind other prefixes. What
// the model computes is compared with the same tensors spelled the usual way, which golden tests hold to transformers.

#include "llm/model/model.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

TinyCheckpoint checkpoint_of(bool with_own_head) {
  return TinyCheckpoint(tiny_config("LlamaForCausalLM", {{"tie_word_embeddings", !with_own_head}}));
}

/// Logits of some tokens under the checkpoint's tensors, with this in its config.
at::Tensor logits_of(const TinyCheckpoint& checkpoint, bool tie_word_embeddings) {
  const TemporaryFolder folder;
  checkpoint.write(folder.path());
  nlohmann::json config = checkpoint.config();
  config["tie_word_embeddings"] = tie_word_embeddings;
  folder.write("config.json", config.dump());
  const llm::Model model = llm::Model::load(folder.path(), {.dtype = "fp32"});
  const std::vector<std::int64_t> ids = {1, 2, 3, 4, 5};
  llm::KvCache cache = model.make_cache(8);
  return model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll}, cache).logits;
}

void rename(TinyCheckpoint& checkpoint, const std::string& from, const std::string& to) {
  auto node = checkpoint.weights().extract(from);
  node.key() = to;
  checkpoint.weights().insert(std::move(node));
}

}  // namespace

TEST_CASE("an output matrix of its own is used where the config says that the tables are tied") {
  const TinyCheckpoint checkpoint = checkpoint_of(/*with_own_head=*/true);
  const at::Tensor untied = logits_of(checkpoint, false);
  CHECK(distance(logits_of(checkpoint, true), untied) == 0);
  CHECK(distance(logits_of(checkpoint_of(/*with_own_head=*/false), true), untied) > 0.1);
}

TEST_CASE("a tied model whose only table is called lm_head embeds with it too") {
  TinyCheckpoint checkpoint = checkpoint_of(/*with_own_head=*/false);
  const at::Tensor usual = logits_of(checkpoint, true);
  rename(checkpoint, kEmbedding, kHead);
  CHECK(distance(logits_of(checkpoint, true), usual) == 0);
}

TEST_CASE("tensors behind another prefix, or behind none, give the same logits") {
  const TinyCheckpoint usual = checkpoint_of(/*with_own_head=*/true);
  const at::Tensor logits = logits_of(usual, false);
  struct Spelling {
    std::string decoder, head;
  };
  for (const Spelling& spelling :
       {Spelling{"", kHead}, Spelling{"transformer.", kHead}, Spelling{"module.model.", "module.lm_head.weight"},
        Spelling{"language_model.model.", "language_model.lm_head.weight"}, Spelling{"model.language_model.", kHead}}) {
    TinyCheckpoint other = usual;
    for (const auto& [name, weight] : usual.weights())
      rename(other, name, name == kHead ? spelling.head : spelling.decoder + name.substr(std::string("model.").size()));
    INFO("the decoder stands behind \"" << spelling.decoder << "\", the output matrix is " << spelling.head);
    CHECK(distance(logits_of(other, false), logits) == 0);
  }
}
