#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "llm/text/tokenizer/added_tokens.hpp"
#include "llm/text/tokenizer/decoder.hpp"
#include "llm/text/tokenizer/normalizer.hpp"
#include "llm/text/tokenizer/post_processor.hpp"
#include "llm/text/tokenizer/pre_tokenizer.hpp"
#include "llm/text/tokenizer/token_model.hpp"
#include "llm/text/tokenizer/tokenizer_config.hpp"

namespace kvmesh::llm {

/// What a tokenizer is put together from, whatever file describes it.
struct TokenizerParts {
  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const Normalizer> normalizer;         ///< null: text stays as it is
  std::unique_ptr<const PreTokenizer> pre_tokenizer;    ///< null: text is not cut
  std::unique_ptr<const PostProcessor> post_processor;  ///< null: adds nothing
  std::unique_ptr<const Decoder> decoder;
  Spellings tokens;               ///< of the model, by id
  std::vector<AddedToken> added;  ///< looked for in the text before anything else
  std::optional<std::int64_t> eos;
  std::optional<std::int64_t> before_text;  ///< beside what the post-processor adds
  std::optional<std::int64_t> after_text;
};

/// As the tokenizer.json and tokenizer_config.json of a checkpoint folder say. Throws Error{kFixInput} that names file
/// and construct.
TokenizerParts read_folder_tokenizer(const std::filesystem::path& folder);

/// As the metadata of a GGUF file say, read as llama.cpp reads them (docs/tokenizers.md). Throws Error{kFixInput} that
/// names file and key, also for a kind of tokenizer or pre-tokenizer that is not known.
TokenizerParts read_gguf_tokenizer(const std::filesystem::path& file);

}  // namespace kvmesh::llm
