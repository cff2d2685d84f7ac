#include "agents/llm/chat_template.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "agents/llm/jinja/library.hpp"
#include "agents/llm/jinja/parser.hpp"
#include "agents/llm/tokenizer/utf8.hpp"
#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

namespace fs = std::filesystem;
using TimePoint = std::chrono::system_clock::time_point;

constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr const char* kConfigFile = "tokenizer_config.json";

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail_input(path.string(), ": cannot be opened");
  return {std::istreambuf_iterator<char>(stream), {}};
}

nlohmann::json read_config(const fs::path& path) {
  nlohmann::json config;
  try {
    config = nlohmann::json::parse(read_file(path));
  } catch (const nlohmann::json::exception& error) {
    fail_input(path.string(), ": is not JSON: ", error.what());
  }
  if (!config.is_object()) fail_input(path.string(), ": expected an object");
  return config;
}

/// The template that the config holds, if it holds one.
std::optional<std::string> template_in(const nlohmann::json& config) {
  const auto found = config.find("chat_template");
  if (found == config.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return std::nullopt;
  for (const auto& entry : *found) {
    const bool named = entry.is_object() && entry.contains("name") && entry.contains("template");
    if (named && entry["name"] == "default" && entry["template"].is_string()) return entry["template"].get<std::string>();
  }
  return std::nullopt;
}

/// "bos_token" and its like: strings, or objects with the string as their content.
ChatTemplate::SpecialTokens special_tokens_in(const nlohmann::json& config) {
  ChatTemplate::SpecialTokens tokens;
  for (const auto& [key, value] : config.items()) {
    if (!key.ends_with("_token")) continue;
    if (value.is_string()) tokens[key] = value.get<std::string>();
    if (value.is_object() && value.contains("content") && value["content"].is_string()) {
      tokens[key] = value["content"].get<std::string>();
    }
  }
  return tokens;
}

/// Template text is what the lexer walks over character by character, so it has to be UTF-8.
jinja::Body parse_named(const std::string& name, const std::string& source) {
  if (!utf8::is_valid(source)) fail_input(name, ": is not UTF-8");
  try {
    return jinja::parse(source);
  } catch (const Error& error) {
    throw Error(error.kind(), cat(name, ": ", error.what()));
  }
}

}  // namespace

struct ChatTemplate::Parts {
  std::string name;  ///< of the file, for messages
  jinja::Body body;
  SpecialTokens special_tokens;

  template <typename Json>
  std::string render(const Json& variables, std::optional<TimePoint> now) const {
    if (!variables.is_object()) fail_input(name, ": the variables of a chat template must be an object");
    jinja::Context context(now);
    std::string out;
    try {
      jinja::define_globals(context);
      for (const auto& [key, token] : special_tokens) context.set(key, token);
      for (const auto& [key, value] : variables.items()) context.set(key, jinja::Value::from_json(value));
      context.enter(context.scope());
      jinja::run_body(body, context, out);
    } catch (const jinja::TemplateError& error) {
      fail_input(name, ": line ", context.line(), ": ", error.what());
    }
    return out;
  }
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::load(const fs::path& model_dir) {
  const fs::path config_path = model_dir / kConfigFile;
  const fs::path template_path = model_dir / kTemplateFile;
  const nlohmann::json config = fs::exists(config_path) ? read_config(config_path) : nlohmann::json::object();
  SpecialTokens tokens = special_tokens_in(config);
  if (fs::exists(template_path)) {
    const std::string name = template_path.string();
    return ChatTemplate(std::unique_ptr<const Parts>(new Parts{name, parse_named(name, read_file(template_path)), tokens}));
  }
  const std::optional<std::string> source = template_in(config);
  if (!source) {
    fail_input(model_dir.string(), ": has no chat template: neither ", kTemplateFile, " nor \"chat_template\" in ",
               kConfigFile, "; give raw text instead");
  }
  const std::string name = cat(config_path.string(), ": chat_template");
  return ChatTemplate(std::unique_ptr<const Parts>(new Parts{name, parse_named(name, *source), tokens}));
}

bool ChatTemplate::exists(const fs::path& model_dir) {
  if (fs::exists(model_dir / kTemplateFile)) return true;
  const fs::path config = model_dir / kConfigFile;
  return fs::exists(config) && template_in(read_config(config)).has_value();
}

ChatTemplate ChatTemplate::parse(std::string source, const SpecialTokens& special_tokens) {
  const std::string name = "chat template";
  return ChatTemplate(std::unique_ptr<const Parts>(new Parts{name, parse_named(name, source), special_tokens}));
}

std::string ChatTemplate::render(const nlohmann::json& variables, std::optional<TimePoint> now) const {
  return parts_->render(variables, now);
}

std::string ChatTemplate::render(const nlohmann::ordered_json& variables, std::optional<TimePoint> now) const {
  return parts_->render(variables, now);
}

std::string ChatTemplate::render_user_turn(std::string_view text) const {
  nlohmann::json message = {{"role", "user"}, {"content", utf8::sanitize(text)}};
  const nlohmann::json variables = {{"messages", nlohmann::json::array({std::move(message)})},
                                    {"add_generation_prompt", true}};
  return render(variables);
}

}  // namespace kvmesh::llm
