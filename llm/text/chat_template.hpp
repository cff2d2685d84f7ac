#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace kvmesh::llm {

/// A checkpoint's chat template: Jinja as transformers renders it (trim_blocks, lstrip_blocks, loop controls,
/// raise_exception, strftime_now, its own tojson).
/// A resource: moved, never copied. Const members may be called from several threads at once.
class ChatTemplate {
 public:
  using SpecialTokens = std::map<std::string, std::string>;  ///< "bos_token" -> "<s>"

  /// Reads, of a folder, chat_template.jinja and additional_chat_templates/*.jinja, else the `chat_template` of
  /// tokenizer_config.json (a string, or a list of {name, template}), else that of chat_template.json; of a GGUF file,
  /// `tokenizer.chat_template` and `tokenizer.chat_template.NAME`. Of several, the one named "tool_use" is for
  /// variables with `tools`, and "default" for all others. Special tokens come from tokenizer_config.json, and from
  /// special_tokens_map.json where that has more; or from the ids that the GGUF file names. Throws Error{kFixInput}
  /// that names the file where there is no template, or none that can be read. One that is not understood is an error
  /// in render().
  static ChatTemplate load(const std::filesystem::path& model);

  /// Does `model` have a template that load() would find?
  static bool exists(const std::filesystem::path& model);

  /// A template from its text; `special_tokens` become variables.
  static ChatTemplate parse(std::string source, const SpecialTokens& special_tokens);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// The text for an object of variables: `messages`, `add_generation_prompt`, `tools`, ...; they take precedence over
  /// special tokens of the same name. Objects keep their key order only in the second form. `now` fixes the clock that
  /// strftime_now reads (in UTC then, in local time without). A rendering is bounded in steps, memory and depth
  /// (jinja/budget.hpp), so that no template runs for ever or takes the host's memory. Throws Error{kFixInput} that
  /// names the file, the line and the construct that is not understood or the bound that is passed, also when the
  /// template itself refuses the variables (raise_exception).
  std::string render(const nlohmann::json& variables,
                     std::optional<std::chrono::system_clock::time_point> now = std::nullopt) const;
  std::string render(const nlohmann::ordered_json& variables,
                     std::optional<std::chrono::system_clock::time_point> now = std::nullopt) const;

  /// One user message, after a system message if `system` is not empty, generation prompt included.
  std::string render_user_turn(std::string_view text, std::string_view system = "") const;

 private:
  struct Parts;
  explicit ChatTemplate(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace kvmesh::llm
