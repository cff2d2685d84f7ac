#include "llm/model/folder_files.hpp"
#include "llm/text/tokenizer/json_file.hpp"
#include "llm/text/tokenizer/other_formats.hpp"
#include "llm/text/tokenizer/parts.hpp"

namespace kvmesh::llm {

TokenizerParts read_folder_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  if (!is_there(path)) fail_without_tokenizer_json(folder);
  const JsonFile json(path);
  const Description file = json.root();
  const TokenizerConfig config = read_tokenizer_config(folder);
  TokenizerParts parts;
  parts.model = make_token_model(file.at("model"));
  if (file.has("normalizer")) parts.normalizer = make_normalizer(file.at("normalizer"));
  if (file.has("pre_tokenizer")) parts.pre_tokenizer = make_pre_tokenizer(file.at("pre_tokenizer"));
  if (file.has("post_processor")) parts.post_processor = make_post_processor(file.at("post_processor"));
  parts.decoder = file.has("decoder") ? make_decoder(file.at("decoder")) : make_default_decoder();
  for (const auto& [spelling, id] : parts.model->vocabulary()) parts.tokens.emplace(id, spelling);
  std::optional<Description> listed;
  if (file.has("added_tokens")) listed = file.at("added_tokens");
  parts.added = gather_added_tokens(*parts.model, parts.tokens, listed, config);
  const auto find_named = [&](const char* name) -> std::optional<std::int64_t> {
    const auto named = config.named.find(name);
    if (named == config.named.end()) return std::nullopt;
    for (const AddedToken& token : parts.added)
      if (token.content == named->second) return token.id;
    return std::nullopt;
  };
  parts.eos = find_named("eos_token");
  if (parts.post_processor && parts.post_processor->adds_tokens()) return parts;
  if (config.add_bos_token) parts.before_text = find_named("bos_token");
  if (config.add_eos_token) parts.after_text = parts.eos;
  return parts;
}

}  // namespace kvmesh::llm
