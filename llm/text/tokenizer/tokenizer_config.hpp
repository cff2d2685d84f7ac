#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "llm/text/tokenizer/added_tokens.hpp"
#include "llm/text/tokenizer/description.hpp"
#include "llm/text/tokenizer/token_model.hpp"

namespace kvmesh::llm {

/// What a checkpoint says of its tokens outside of tokenizer.json: in tokenizer_config.json, and in
/// special_tokens_map.json where that names more. A value.
struct TokenizerConfig {
  std::vector<AddedToken> added;             ///< `added_tokens_decoder`, by id
  std::map<std::string, std::string> named;  ///< "eos_token" -> "</s>"
  std::vector<std::string> extra;            ///< `additional_special_tokens` and `extra_special_tokens`
  bool add_bos_token = false;
  bool add_eos_token = false;
};

/// Nothing where `model_dir` has neither file. Throws Error{kFixInput} that names the file and the place in it.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& model_dir);

using Spellings = std::unordered_map<std::int64_t, std::string>;

/// The added tokens of tokenizer.json (`listed`, none: there is no such list) and of `config`, one for each text, as
/// transformers 5.24 puts them together: what `config` says of a token counts more; tokens that have a name are
/// special; a text that the vocabulary has keeps its id. `vocabulary` are the model's tokens. Ids that a file states
/// are taken as stated, unless another token has them; that token and those without a number get the next free id.
std::vector<AddedToken> gather_added_tokens(const TokenModel& model, const Spellings& vocabulary,
                                            const std::optional<Description>& listed, const TokenizerConfig& config);

}  // namespace kvmesh::llm
