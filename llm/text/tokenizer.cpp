#include "llm/text/tokenizer.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "llm/model/gguf.hpp"
#include "llm/text/tokenizer/parts.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {

struct Tokenizer::Parts {
  explicit Parts(TokenizerParts read)
      : model(std::move(read.model)),
        normalizer(std::move(read.normalizer)),
        pre_tokenizer(std::move(read.pre_tokenizer)),
        post_processor(std::move(read.post_processor)),
        decoder(std::move(read.decoder)),
        tokens(std::move(read.tokens)),
        eos(read.eos),
        before_text(read.before_text),
        after_text(read.after_text) {
    for (const AddedToken& token : read.added) add(token);
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
  void encode_plain(std::string_view text, bool at_start, TokenModel::Cache& cache,
                    std::vector<std::int64_t>& ids) const {
    std::vector<Piece> pieces;
    pieces.push_back({std::string(text), at_start});
    if (pre_tokenizer) pieces = pre_tokenizer->apply(std::move(pieces));
    for (const Piece& piece : pieces) model->encode(piece.text, cache, ids);
  }

  const std::string* find_token(std::int64_t id) const {
    const auto found = tokens.find(id);
    return found == tokens.end() ? nullptr : &found->second;
  }

  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const Normalizer> normalizer;
  std::unique_ptr<const PreTokenizer> pre_tokenizer;
  std::unique_ptr<const PostProcessor> post_processor;
  std::unique_ptr<const Decoder> decoder;
  AddedTokenFinder in_raw_text;
  AddedTokenFinder in_normalized_text;
  Spellings tokens;
  std::unordered_map<std::string, std::int64_t> added_ids;
  std::unordered_set<std::int64_t> special_ids;
  std::optional<std::int64_t> eos;
  std::optional<std::int64_t> before_text;
  std::optional<std::int64_t> after_text;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& model) {
  return Tokenizer(
      std::make_unique<const Parts>(is_gguf(model) ? read_gguf_tokenizer(model) : read_folder_tokenizer(model)));
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  const Parts& parts = *parts_;
  const std::string clean = utf8::sanitize(text);
  std::vector<std::int64_t> ids;
  TokenModel::Cache cache;
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
  if (!add_special) return ids;
  if (parts.post_processor) ids = parts.post_processor->apply(std::move(ids));
  if (parts.before_text) ids.insert(ids.begin(), *parts.before_text);
  if (parts.after_text) ids.push_back(*parts.after_text);
  return ids;
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
  return parts_->model->find(token);
}

std::size_t Tokenizer::vocab_size() const { return parts_->tokens.size(); }

bool Tokenizer::is_special(std::int64_t id) const { return parts_->special_ids.contains(id); }

bool Tokenizer::names_special(std::string_view text) const {
  return std::any_of(parts_->special_ids.begin(), parts_->special_ids.end(),
                     [&](std::int64_t id) { return text.find(parts_->tokens.at(id)) != std::string_view::npos; });
}

std::optional<std::int64_t> Tokenizer::eos_token() const { return parts_->eos; }

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
