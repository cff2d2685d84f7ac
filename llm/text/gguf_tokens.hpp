#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "llm/model/gguf_metadata.hpp"

namespace kvmesh::llm {

/// What is meant where `tokenizer.ggml.pre` is missing, which llama.cpp warns of.
inline constexpr std::string_view kDefaultPreTokenizer = "default";

/// The tokens that a GGUF file names, by their ids. A value.
struct GgufTokens {
  std::optional<std::int64_t> bos, eos, unknown;
  std::optional<bool> add_bos, add_eos;          ///< to raw text
  std::map<std::string, std::string> spellings;  ///< "bos_token" -> "<s>", as chat templates name them
};

/// Where `tokenizer.ggml.model` is llama, the ids that its key leaves out are 1, 2 and 0, as in llama.cpp. Throws
/// Error{kFixInput} for an id that no token has.
GgufTokens read_gguf_tokens(const GgufMetadata& metadata);

}  // namespace kvmesh::llm
