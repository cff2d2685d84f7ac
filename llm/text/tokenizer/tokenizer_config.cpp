#include "llm/text/tokenizer/tokenizer_config.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "llm/model/folder_files.hpp"
#include "llm/text/tokenizer/json_file.hpp"

namespace kvmesh::llm {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 7> kNames{"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

AddedToken read_added_token(const Description& entry) {
  AddedToken token;
  token.content = entry.text("content");
  token.single_word = entry.flag("single_word", false);
  token.lstrip = entry.flag("lstrip", false);
  token.rstrip = entry.flag("rstrip", false);
  token.special = entry.flag("special", false);
  token.normalized = entry.flag("normalized", !token.special);
  return token;
}

/// A token by its text, or an object with the text as its content.
std::string content_of(const Description& value) {
  return value.value().is_object() ? value.text("content") : value.text();
}

/// A list of tokens, or an object with the tokens as its values.
void read_extra(const Description& value, std::vector<std::string>& extra) {
  if (value.value().is_object()) {
    for (const auto& [name, token] : value.value().items()) extra.push_back(content_of(value.at(name)));
    return;
  }
  for (std::size_t index = 0; index < value.size(); ++index) extra.push_back(content_of(value.at(index)));
}

void read_named(const Description& file, TokenizerConfig& config) {
  for (const char* name : kNames) {
    if (file.has(name)) config.named.emplace(name, content_of(file.at(name)));
  }
  for (const char* list : {"additional_special_tokens", "extra_special_tokens"}) {
    if (file.has(list)) read_extra(file.at(list), config.extra);
  }
}

void read_added(const Description& decoder, std::vector<AddedToken>& added) {
  if (!decoder.value().is_object()) decoder.fail("expected an object of id: token");
  for (const auto& [key, value] : decoder.value().items()) {
    AddedToken token = read_added_token(decoder.at(key));
    const char* end = key.data() + key.size();
    const auto [read, error] = std::from_chars(key.data(), end, token.id);
    if (error != std::errc() || read != end || token.id < 0) decoder.fail("\"", key, "\" is no id");
    added.push_back(std::move(token));
  }
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

/// Puts the tokens together.
class Gathering {
 public:
  Gathering(const TokenModel& model, const Spellings& vocabulary) : model_(model), vocabulary_(vocabulary) {
    for (const auto& [id, spelling] : vocabulary) next_id_ = std::max(next_id_, id + 1);
  }

  /// A token that a file states with its id.
  void put(AddedToken token) {
    if (token.content.empty()) return;
    token.id = id_of(token.content, token.id);
    next_id_ = std::max(next_id_, token.id + 1);
    ids_.insert_or_assign(token.content, token.id);
    by_id_.insert_or_assign(token.id, std::move(token));
  }

  void put_special(const std::string& content) {
    if (const auto found = ids_.find(content); found != ids_.end()) {
      by_id_.at(found->second).special = true;
      return;
    }
    AddedToken token;
    token.content = content;
    token.special = true;
    token.id = next_id_;
    put(std::move(token));
  }

  std::vector<AddedToken> tokens() const {
    std::vector<AddedToken> tokens;
    for (const auto& [id, token] : by_id_) tokens.push_back(token);
    return tokens;
  }

 private:
  std::int64_t id_of(const std::string& content, std::int64_t stated) const {
    if (const auto found = ids_.find(content); found != ids_.end()) return found->second;
    if (const auto found = model_.find(content)) return *found;
    return vocabulary_.contains(stated) || by_id_.contains(stated) ? next_id_ : stated;
  }

  const TokenModel& model_;
  const Spellings& vocabulary_;
  std::map<std::int64_t, AddedToken> by_id_;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::int64_t next_id_ = 0;
};

}  // namespace

TokenizerConfig read_tokenizer_config(const fs::path& model_dir) {
  TokenizerConfig config;
  const auto read = [&](const char* name, auto use) {
    const fs::path path = model_dir / name;
    if (!is_there(path)) return;
    const JsonFile file(path);
    if (!file.document().is_object()) file.root().fail("expected an object, found ", file.document().type_name());
    use(file.root());
  };
  read("tokenizer_config.json", [&](const Description& root) {
    if (root.has("added_tokens_decoder")) read_added(root.at("added_tokens_decoder"), config.added);
    read_named(root, config);
    config.add_bos_token = root.flag("add_bos_token", false);
    config.add_eos_token = root.flag("add_eos_token", false);
  });
  read("special_tokens_map.json", [&](const Description& root) { read_named(root, config); });
  return config;
}

std::vector<AddedToken> gather_added_tokens(const TokenModel& model, const Spellings& vocabulary,
                                            const std::optional<Description>& listed, const TokenizerConfig& config) {
  Gathering gathering(model, vocabulary);
  for (std::size_t index = 0; listed && index < listed->size(); ++index) {
    AddedToken token = read_added_token(listed->at(index));
    token.id = listed->at(index).number("id");
    gathering.put(std::move(token));
  }
  for (const AddedToken& token : config.added) gathering.put(token);
  for (const auto& [name, content] : config.named) gathering.put_special(content);
  for (const std::string& content : config.extra) gathering.put_special(content);
  return gathering.tokens();
}

}  // namespace kvmesh::llm
