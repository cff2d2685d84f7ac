#include "llm/text/tokenizer.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "llm/text/tokenizer/added_tokens.hpp"
#include "llm/text/tokenizer/bpe.hpp"
#include "llm/text/tokenizer/decoder.hpp"
#include "llm/text/tokenizer/description.hpp"
#include "llm/text/tokenizer/normalizer.hpp"
#include "llm/text/tokenizer/post_processor.hpp"
#include "llm/text/tokenizer/pre_tokenizer.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {

struct Tokenizer::Parts {
  Parts(const Description& file, std::string fingerprint_text)
      : model(file.at("model")), fingerprint(std::move(fingerprint_text)) {
    if (file.has("normalizer")) normalizer = make_normalizer(file.at("normalizer"));
    if (file.has("pre_tokenizer")) pre_tokenizer = make_pre_tokenizer(file.at("pre_tokenizer"));
    if (file.has("post_processor")) post_processor = make_post_processor(file.at("post_processor"));
    decoder = file.has("decoder") ? make_decoder(file.at("decoder")) : make_default_decoder();
    for (const auto& [spelling, id] : model.vocabulary()) tokens.emplace(id, spelling);
    if (file.has("added_tokens")) read_added_tokens(file.at("added_tokens"));
  }

  void read_added_tokens(const Description& list) {
    for (std::size_t index = 0; index < list.size(); ++index) {
      const Description entry = list.at(index);
      AddedToken token;
      token.content = entry.text("content");
      token.id = model.find(token.content).value_or(entry.number("id"));
      token.single_word = entry.flag("single_word", false);
      token.lstrip = entry.flag("lstrip", false);
      token.rstrip = entry.flag("rstrip", false);
      token.special = entry.flag("special", false);
      token.normalized = entry.flag("normalized", !token.special);
      add(token);
    }
  }

  void add(const AddedToken& token) {
    tokens.insert_or_assign(token.id, token.content);
    added_ids.insert_or_assign(token.content, token.id);
    if (token.special) special_ids.insert(token.id);
    if (token.normalized && normalizer) {
      in_normalized_text.add(normalizer->apply(token.content), token);
    } else if (token.normalized) {
      in_normalized_text.add(token.content, token);
    } else {
      in_raw_text.add(token.content, token);
    }
  }

  /// The ids of a stretch of normalized text without added tokens.
  void encode_plain(std::string_view text, bool at_start, Bpe::Cache& cache, std::vector<std::int64_t>& ids) const {
    std::vector<Piece> pieces;
    pieces.push_back({std::string(text), at_start});
    if (pre_tokenizer) pieces = pre_tokenizer->apply(std::move(pieces));
    for (const Piece& piece : pieces) model.encode(piece.text, cache, ids);
  }

  const std::string* find_token(std::int64_t id) const {
    const auto found = tokens.find(id);
    return found == tokens.end() ? nullptr : &found->second;
  }

  Bpe model;
  std::string fingerprint;
  std::unique_ptr<const Normalizer> normalizer;
  std::unique_ptr<const PreTokenizer> pre_tokenizer;
  std::unique_ptr<const PostProcessor> post_processor;
  std::unique_ptr<const Decoder> decoder;
  AddedTokenFinder in_raw_text;
  AddedTokenFinder in_normalized_text;
  std::unordered_map<std::int64_t, std::string> tokens;
  std::unordered_map<std::string, std::int64_t> added_ids;
  std::unordered_set<std::int64_t> special_ids;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& model_dir) {
  const std::filesystem::path path = model_dir / "tokenizer.json";
  std::ifstream stream(path, std::ios::binary);
  if (!stream && std::filesystem::exists(model_dir / "tokenizer.model")) {
    fail_input(path.string(),
               ": is not there, and SentencePiece's tokenizer.model is not read; let transformers write it: "
               "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)");
  }
  if (!stream) fail_input(path.string(), ": cannot be opened; a checkpoint folder with a tokenizer.json is needed");
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(bytes);
  } catch (const nlohmann::json::exception& error) {
    fail_input(path.string(), ": is not JSON: ", error.what());
  }
  std::array<char, 17> fingerprint{};
  std::snprintf(fingerprint.data(), fingerprint.size(), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
  return Tokenizer(std::make_unique<const Parts>(Description(document, path.string()), fingerprint.data()));
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  const Parts& parts = *parts_;
  const std::string clean = utf8::sanitize(text);
  std::vector<std::int64_t> ids;
  Bpe::Cache cache;
  const auto on_token = [&](std::int64_t id) { ids.push_back(id); };
  parts.in_raw_text.scan(
      clean,
      [&](std::string_view stretch, bool at_start) {
        std::string normalized(stretch);
        if (parts.normalizer) normalized = parts.normalizer->apply(std::move(normalized));
        parts.in_normalized_text.scan(
            normalized,
            [&](std::string_view plain, bool plain_at_start) {
              parts.encode_plain(plain, at_start && plain_at_start, cache, ids);
            },
            on_token);
      },
      on_token);
  return add_special && parts.post_processor ? parts.post_processor->apply(std::move(ids)) : ids;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special) const {
  StreamingDecoder decoder(*this, skip_special);
  std::string text;
  for (const std::int64_t id : ids) text += decoder.push(id);
  return text + decoder.flush();
}

std::string Tokenizer::token(std::int64_t id) const {
  const std::string* found = parts_->find_token(id);
  if (found == nullptr) fail_input("the tokenizer has no token with the id ", id);
  return *found;
}

std::optional<std::int64_t> Tokenizer::find_id(std::string_view token) const {
  const auto found = parts_->added_ids.find(std::string(token));
  if (found != parts_->added_ids.end()) return found->second;
  return parts_->model.find(token);
}

std::size_t Tokenizer::vocab_size() const { return parts_->tokens.size(); }

bool Tokenizer::is_special(std::int64_t id) const { return parts_->special_ids.contains(id); }

std::string Tokenizer::fingerprint() const { return parts_->fingerprint; }

struct StreamingDecoder::State {
  const Tokenizer::Parts& parts;
  bool skip_special;
  std::unique_ptr<DecodeStep> step;
};

StreamingDecoder::StreamingDecoder(const Tokenizer& tokenizer, bool skip_special)
    : state_(new State{*tokenizer.parts_, skip_special, tokenizer.parts_->decoder->start()}) {}
StreamingDecoder::~StreamingDecoder() = default;

std::string StreamingDecoder::push(std::int64_t id) {
  std::string text;
  const std::string* token = state_->parts.find_token(id);
  if (token == nullptr || (state_->skip_special && state_->parts.special_ids.contains(id))) return text;
  state_->step->push({*token}, [&](const Fragment& fragment) { text += fragment.text; });
  return text;
}

std::string StreamingDecoder::flush() {
  std::string text;
  state_->step->finish([&](const Fragment& fragment) { text += fragment.text; });
  state_->step = state_->parts.decoder->start();
  return text;
}

}  // namespace kvmesh::llm
