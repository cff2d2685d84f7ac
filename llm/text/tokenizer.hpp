#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm {

/// A model's tokenizer. Of a checkpoint folder, as its tokenizer.json describes it: added tokens, normalizer,
/// pre-tokenizer, model (BPE or Unigram), post-processor and decoder give the ids that Hugging Face's `tokenizers`
/// gives. What tokenizer_config.json says beyond that of special tokens counts as it does in transformers. Of a GGUF
/// file, as its metadata describe it: the ids that llama.cpp gives. docs/tokenizers.md has both.
/// A tokenizer.json's `truncation` and `padding` are a batch's business and are not applied.
/// A resource: moved, never copied. Const members may be called from several threads at once.
class Tokenizer {
 public:
  /// Reads a GGUF file's metadata, or tokenizer.json in a folder, with tokenizer_config.json and
  /// special_tokens_map.json where they are. Throws Error{kFixInput} that names the file and the construct or key in it
  /// that is missing, malformed or not supported.
  static Tokenizer load(const std::filesystem::path& model);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The ids of `text`; bytes that are not UTF-8 count as U+FFFD, and special tokens that are spelt in it are those
  /// tokens. `add_special` applies the post-processor (GGUF: add_bos_token, add_eos_token), which is right for raw text
  /// and wrong for text that a chat template made (its special tokens are in the text). Throws
  /// Error{kFixInput} where the tokenizer cannot take the text: a pattern that backtracks over it without end, a
  /// character that no token stands for.
  std::vector<std::int64_t> encode(std::string_view text, bool add_special) const;

  /// The text of `ids`, always valid UTF-8. Ids that the tokenizer does not have (an embedding is often padded) give
  /// nothing; with `skip_special` neither do special tokens.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special) const;

  /// The token as the file spells it ("Ġthe", "▁the", "<0x0A>"). Throws Error{kFixInput} for an unknown id.
  std::string token(std::int64_t id) const;

  /// The id of a token spelt as in the file, added tokens included.
  std::optional<std::int64_t> find_id(std::string_view token) const;

  /// How many ids have a token, added tokens included.
  std::size_t vocab_size() const;

  bool is_special(std::int64_t id) const;

  /// Does `text` have the spelling of a special token in it?
  bool names_special(std::string_view text) const;

  /// The token that tokenizer_config.json, or the GGUF file, names as the end of a text.
  std::optional<std::int64_t> eos_token() const;

 private:
  friend class StreamingDecoder;
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

/// Decodes ids one at a time. What push() and flush() return, one after the other, is what Tokenizer::decode returns
/// for all the ids together. For one thread at a time; the tokenizer outlives it.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(const Tokenizer& tokenizer, bool skip_special = true);
  ~StreamingDecoder();

  /// The text that `id` completes: whole characters only, often none.
  std::string push(std::int64_t id);

  /// The text held back at the end of the sequence (U+FFFD for half a character). The decoder then starts anew.
  std::string flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvmesh::llm
