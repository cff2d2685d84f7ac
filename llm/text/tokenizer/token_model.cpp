#include "llm/text/tokenizer/token_model.hpp"

#include "llm/text/tokenizer/bpe.hpp"
#include "llm/text/tokenizer/unigram.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// Older files leave the type out; then it shows in what the model has, as in `tokenizers`.
std::string type_of(const Description& model) {
  if (model.has("type")) return model.text("type");
  if (model.has("merges")) return "BPE";
  if (model.has("max_input_chars_per_word") || model.has("continuing_subword_prefix")) return "WordPiece";
  if (model.has("vocab") && model.value()["vocab"].is_array()) return "Unigram";
  if (model.has("vocab") && model.has("unk_token")) return "WordLevel";
  return "BPE";
}

}  // namespace

std::optional<TokenModel::Id> TokenModel::find(std::string_view token) const {
  const auto found = vocabulary_.find(token);
  if (found == vocabulary_.end()) return std::nullopt;
  return found->second;
}

void TokenModel::expect_tokens(std::size_t count) {
  spellings_.reserve(count);
  vocabulary_.reserve(count);
}

void TokenModel::add_token(const std::string& token, Id id) {
  if (const auto found = vocabulary_.find(token); found != vocabulary_.end()) {
    found->second = id;
    return;
  }
  spellings_.push_back(token);
  vocabulary_.emplace(spellings_.back(), id);
}

void TokenModel::add_tokens(std::span<const std::string_view> tokens, const std::string& place) {
  expect_tokens(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!utf8::is_valid(tokens[id])) fail_input(place, ": token ", id, " is no UTF-8");
    // llama.cpp's name for a token without a text.
    add_token(tokens[id].empty() ? cat("[EMPTY_", id, "]") : std::string(tokens[id]), static_cast<Id>(id));
    if (vocabulary_.size() != id + 1)
      fail_input(place, ": \"", tokens[id], "\" stands there twice, the second time as token ", id);
  }
}

std::unique_ptr<const TokenModel> make_token_model(const Description& model) {
  const std::string type = type_of(model);
  if (type == "BPE") return std::make_unique<Bpe>(model);
  if (type == "Unigram") return std::make_unique<Unigram>(model);
  if (type == "WordPiece" || type == "WordLevel") {
    model.fail("this is a ", type, " model", model.has("type") ? "" : " (the file names no type; its keys say so)",
               ", which belongs to encoders such as BERT; kvmesh hosts models that generate text and reads BPE and "
               "Unigram: use a checkpoint with one of these");
  }
  model.fail("the model type \"", type, "\" is not supported; BPE and Unigram are");
}

std::vector<std::optional<TokenModel::Id>> byte_tokens_of(const TokenModel& model) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::vector<std::optional<TokenModel::Id>> tokens(256);
  for (std::size_t byte = 0; byte < tokens.size(); ++byte) {
    tokens[byte] = model.find(cat("<0x", kDigits[byte / 16], kDigits[byte % 16], ">"));
  }
  return tokens;
}

}  // namespace kvmesh::llm
