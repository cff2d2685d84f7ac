// The tokenizer inside a GGUF file. llama.cpp (src/llama-vocab.cpp) is the reference for what its keys mean.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"
#include "llm/model/gguf.hpp"
#include "llm/text/gguf_tokens.hpp"
#include "llm/text/tokenizer/bpe.hpp"
#include "llm/text/tokenizer/gguf_pre_tokenizer.hpp"
#include "llm/text/tokenizer/parts.hpp"
#include "llm/text/tokenizer/score_merge.hpp"

namespace kvmesh::llm {
namespace {

/// `tokenizer.ggml.token_type`, as the format numbers it.
enum class Kind : std::int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// Tokens that end a text or a turn, or frame a gap to be filled: files that call them normal are taken to be mistaken.
constexpr std::array<std::string_view, 47> kControlSpellings{"<|eot_id|>",
                                                             "<|im_end|>",
                                                             "<|end|>",
                                                             "<|return|>",
                                                             "<|call|>",
                                                             "<|flush|>",
                                                             "<|calls|>",
                                                             "<end_of_turn>",
                                                             "<|endoftext|>",
                                                             "</s>",
                                                             "<|eom_id|>",
                                                             "<EOT>",
                                                             "_<EOT>",
                                                             "[EOT]",
                                                             "[EOS]",
                                                             "<|end_of_text|>",
                                                             "<end_of_utterance>",
                                                             "<eos>",
                                                             "<｜end▁of▁sentence｜>",
                                                             "<|fim_prefix|>",
                                                             "<fim-prefix>",
                                                             "<fim_prefix>",
                                                             "<｜fim▁begin｜>",
                                                             "<PRE>",
                                                             "▁<PRE>",
                                                             "<|code_prefix|>",
                                                             "<|fim_suffix|>",
                                                             "<fim-suffix>",
                                                             "<fim_suffix>",
                                                             "<｜fim▁hole｜>",
                                                             "<SUF>",
                                                             "▁<SUF>",
                                                             "<|code_suffix|>",
                                                             "<|fim_middle|>",
                                                             "<fim-middle>",
                                                             "<fim_middle>",
                                                             "<｜fim▁end｜>",
                                                             "<MID>",
                                                             "▁<MID>",
                                                             "<|code_middle|>",
                                                             "<|fim_pad|>",
                                                             "<fim-pad>",
                                                             "<fim_pad>",
                                                             "<PAD>",
                                                             "<|fim_repo|>",
                                                             "<|repo_name|>",
                                                             "<|file_sep|>"};

class Reading {
 public:
  explicit Reading(const GgufMetadata& metadata)
      : metadata_(metadata), tokens_(metadata.texts("tokenizer.ggml.tokens")) {
    if (tokens_.empty()) fail("tokens", "is empty");
  }

  TokenizerParts parts() {
    const std::string_view model = metadata_.text("tokenizer.ggml.model");
    TokenizerParts parts;
    if (model == "gpt2") read_merged(parts);
    else if (model == "llama") read_scored(parts);
    else fail("model", "is \"", model, "\", which is not supported; gpt2 (merges) and llama (scores) are");
    for (const auto& [spelling, id] : parts.model->vocabulary()) parts.tokens.emplace(id, spelling);
    read_added(parts);
    const GgufTokens named = read_gguf_tokens(metadata_);
    parts.eos = named.eos;
    if (named.add_bos.value_or(add_bos_)) parts.before_text = get(named.bos, "bos_token_id", "add_bos_token");
    if (named.add_eos.value_or(false)) parts.after_text = get(named.eos, "eos_token_id", "add_eos_token");
    return parts;
  }

 private:
  template <typename... Words>
  [[noreturn]] void fail(const char* key, const Words&... words) const {
    fail_input(metadata_.file(), ": \"tokenizer.ggml.", key, "\" ", words...);
  }

  std::int64_t get(std::optional<std::int64_t> id, const char* key, const char* asked_by) const {
    if (!id) fail(key, "is missing, and \"tokenizer.ggml.", asked_by, "\" asks for it");
    return *id;
  }

  /// Byte-level BPE.
  void read_merged(TokenizerParts& parts) {
    const std::string_view name = metadata_.find_text("tokenizer.ggml.pre").value_or(kDefaultPreTokenizer);
    std::optional<GgufPreTokenizer> pre = make_gguf_pre_tokenizer(name);
    if (!pre)
      fail("pre", "is \"", name,
           "\", a way to cut text that is not known; take the model in another format, or a "
           "newer kvmesh");
    parts.pre_tokenizer = std::move(pre->pre_tokenizer);
    add_bos_ = pre->add_bos;
    const std::vector<std::string_view> merges = metadata_.texts("tokenizer.ggml.merges");
    parts.model = std::make_unique<Bpe>(
        Bpe::Lists{.tokens = tokens_, .merges = merges, .ignore_merges = pre->ignore_merges, .file = metadata_.file()});
    const nlohmann::json decoder{{"type", "ByteLevel"}};
    parts.decoder = make_decoder(Description(decoder, metadata_.file()));
  }

  /// SentencePiece's: spaces are visible, and one stands before the text, and before what follows an added token.
  void read_scored(TokenizerParts& parts) {
    std::vector<float> scores = metadata_.reals("tokenizer.ggml.scores");
    if (scores.size() < tokens_.size())
      fail("scores", "has ", scores.size(), " numbers for ", tokens_.size(), " tokens");
    const bool add_space = metadata_.find_flag("tokenizer.ggml.add_space_prefix").value_or(true);
    add_bos_ = true;
    const std::optional<std::int64_t> unknown = read_gguf_tokens(metadata_).unknown;
    parts.model =
        std::make_unique<ScoreMerge>(tokens_, std::move(scores),
                                     unknown ? std::optional(static_cast<TokenModel::Id>(*unknown)) : std::nullopt,
                                     cat(metadata_.file(), ": tokenizer.ggml.tokens"));
    nlohmann::json normalizers = nlohmann::json::array();
    if (add_space) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
    const nlohmann::json normalizer{{"type", "Sequence"}, {"normalizers", normalizers}};
    parts.normalizer = make_normalizer(Description(normalizer, metadata_.file()));
    nlohmann::json decoders = {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                               {{"type", "ByteFallback"}},
                               {{"type", "Fuse"}}};
    if (add_space) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    const nlohmann::json decoder{{"type", "Sequence"}, {"decoders", decoders}};
    parts.decoder = make_decoder(Description(decoder, metadata_.file()));
  }

  /// Control tokens, unknown ones and those that users defined are found in the text as they are spelt.
  void read_added(TokenizerParts& parts) const {
    std::vector<std::int64_t> kinds;
    if (metadata_.has("tokenizer.ggml.token_type")) kinds = metadata_.integers("tokenizer.ggml.token_type");
    if (!kinds.empty() && kinds.size() < tokens_.size())
      fail("token_type", "has ", kinds.size(), " numbers for ", tokens_.size(), " tokens");
    kinds.resize(tokens_.size(), static_cast<std::int64_t>(Kind::kNormal));
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      auto kind = static_cast<Kind>(kinds[id]);
      const std::string_view spelling = tokens_[id];
      if (kind == Kind::kNormal &&
          std::find(kControlSpellings.begin(), kControlSpellings.end(), spelling) != kControlSpellings.end())
        kind = Kind::kControl;
      const bool special = kind == Kind::kControl || kind == Kind::kUnknown;
      if (spelling.empty() || (!special && kind != Kind::kUserDefined)) continue;
      AddedToken token;
      token.id = static_cast<std::int64_t>(id);
      token.content = spelling;
      token.special = special;
      parts.added.push_back(std::move(token));
    }
  }

  const GgufMetadata& metadata_;
  const std::vector<std::string_view> tokens_;
  bool add_bos_ = false;  ///< where the file does not say
};

}  // namespace

TokenizerParts read_gguf_tokenizer(const std::filesystem::path& file) {
  const GgufFile gguf = GgufFile::open(file);
  return Reading(gguf.metadata()).parts();
}

}  // namespace kvmesh::llm
