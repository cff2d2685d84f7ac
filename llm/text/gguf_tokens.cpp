#include "llm/text/gguf_tokens.hpp"

#include <array>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// The format's keys, one of them misspelt, and the names that transformers has for the same tokens.
constexpr std::array<std::pair<const char*, const char*>, 6> kNames{{{"bos_token_id", "bos_token"},
                                                                     {"eos_token_id", "eos_token"},
                                                                     {"unknown_token_id", "unk_token"},
                                                                     {"seperator_token_id", "sep_token"},
                                                                     {"padding_token_id", "pad_token"},
                                                                     {"mask_token_id", "mask_token"}}};

}  // namespace

GgufTokens read_gguf_tokens(const GgufMetadata& metadata) {
  const std::vector<std::string_view> tokens = metadata.texts("tokenizer.ggml.tokens");
  const bool scored = metadata.find_text("tokenizer.ggml.model") == "llama";
  GgufTokens named;
  const auto find = [&](const std::string& key, std::optional<std::int64_t> missing) {
    const std::optional<std::int64_t> id = metadata.find_integer("tokenizer.ggml." + key);
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= tokens.size()))
      fail_input(metadata.file(), ": \"tokenizer.ggml.", key, "\" is ", *id, ", and there are ", tokens.size(),
                 " tokens");
    if (!id && missing && static_cast<std::size_t>(*missing) >= tokens.size()) missing.reset();
    return id ? id : missing;
  };
  named.bos = find("bos_token_id", scored ? std::optional(1) : std::nullopt);
  named.eos = find("eos_token_id", scored ? std::optional(2) : std::nullopt);
  named.unknown = find("unknown_token_id", scored ? std::optional(0) : std::nullopt);
  named.add_bos = metadata.find_flag("tokenizer.ggml.add_bos_token");
  named.add_eos = metadata.find_flag("tokenizer.ggml.add_eos_token");
  for (const auto& [key, name] : kNames)
    if (const auto id = find(key, std::nullopt)) named.spellings.emplace(name, tokens[static_cast<std::size_t>(*id)]);
  if (named.bos) named.spellings.emplace("bos_token", tokens[static_cast<std::size_t>(*named.bos)]);
  if (named.eos) named.spellings.emplace("eos_token", tokens[static_cast<std::size_t>(*named.eos)]);
  return named;
}

}  // namespace kvmesh::llm
