#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "llm/text/tokenizer/pre_tokenizer.hpp"

namespace kvmesh::llm {

/// What llama.cpp means by a name in `tokenizer.ggml.pre`.
struct GgufPreTokenizer {
  std::unique_ptr<const PreTokenizer> pre_tokenizer;
  bool ignore_merges = false;  ///< a piece that is a token becomes that token, whatever the merges would make of it
  bool add_bos = false;        ///< where `tokenizer.ggml.add_bos_token` is missing
};

/// None for a name that is not known.
std::optional<GgufPreTokenizer> make_gguf_pre_tokenizer(std::string_view name);

}  // namespace kvmesh::llm
