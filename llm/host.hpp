#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/model/model.hpp"
#include "llm/text/chat_template.hpp"
#include "llm/text/tokenizer.hpp"

namespace kvmesh::llm {

/// A model, of a checkpoint folder or a GGUF file, made ready to talk: model, tokenizer, chat template, stop tokens.
/// Const members are thread-safe.
class Host {
 public:
  /// Throws Error{kFixInput} that names the file. A folder without a chat template is fine until a prompt needs one.
  static Host load(const std::filesystem::path& model_dir, const Model::Options& options);

  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const std::vector<std::int64_t>& stop_tokens() const { return stop_tokens_; }

  /// The text of one user turn in the checkpoint's template, behind a system message if `system` is not empty,
  /// generation prompt included.
  std::string user_turn(std::string_view text, std::string_view system = "") const;
  /// Templated text is encoded without the post-processor, whose special tokens the template holds; raw text with it.
  std::vector<std::int64_t> encode_prompt(std::string_view text, bool chat, std::string_view system = "") const;

 private:
  Host(Model model, Tokenizer tokenizer) : model_(std::move(model)), tokenizer_(std::move(tokenizer)) {}

  std::filesystem::path model_dir_;
  Model model_;
  Tokenizer tokenizer_;
  std::shared_ptr<const ChatTemplate> chat_template_;  // null: the folder has none
  std::vector<std::int64_t> stop_tokens_;
};

}  // namespace kvmesh::llm
