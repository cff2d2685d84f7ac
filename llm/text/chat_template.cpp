#include "llm/text/chat_template.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/parser.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

namespace fs = std::filesystem;
using TimePoint = std::chrono::system_clock::time_point;

constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kLegacyFile = "chat_template.json";  ///< of processors: Gemma 3, Qwen2-VL
constexpr const char* kMoreTemplates = "additional_chat_templates";
constexpr const char* kDefault = "default";
constexpr const char* kToolUse = "tool_use";  ///< what transformers takes when there are tools

struct Source {
  std::string place;  ///< the file, for messages
  std::string text;
};
using Sources = std::map<std::string, Source>;  ///< by the template's name

/// Is there something of this name? A link that leads nowhere is something, which reading then says.
bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    fail_input(path.string(), ": is not a file", error ? cat(": ", error.message()) : "");
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.is_open() || stream.bad()) fail_input(path.string(), ": cannot be read");
  return text;
}

/// The object in a file; empty where there is no file.
nlohmann::json read_object(const fs::path& path) {
  if (!is_there(path)) return nlohmann::json::object();
  // "model_max_length" is often a number that 64 bits cannot hold, and nobody here reads it.
  nlohmann::json object = wire::parse_json(read_file(path), {.file = path.string()}, {.big_numbers_as_text = true});
  if (!object.is_object()) fail_input(path.string(), ": expected an object");
  return object;
}

/// What "chat_template" holds: one template, or a list of {"name", "template"}.
Sources sources_in(const nlohmann::json& object, const fs::path& path) {
  Sources sources;
  const auto found = object.find("chat_template");
  if (found == object.end() || found->is_null()) return sources;
  const std::string place = cat(path.string(), ": chat_template");
  if (found->is_string()) {
    sources[kDefault] = {place, found->get<std::string>()};
    return sources;
  }
  if (!found->is_array()) fail_input(place, ": expected a string or a list, found ", found->type_name());
  for (const auto& entry : *found) {
    const bool named = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                       entry.contains("template") && entry["template"].is_string();
    if (!named) fail_input(place, ": expected a list of {\"name\", \"template\"}, found ", entry.type_name());
    const std::string name = entry["name"].get<std::string>();
    sources[name] = {cat(place, " \"", name, "\""), entry["template"].get<std::string>()};
  }
  return sources;
}

/// Files go before the config's entry, as in transformers.
Sources find_sources(const fs::path& model_dir) {
  Sources sources;
  const fs::path file = model_dir / kTemplateFile;
  if (is_there(file)) sources[kDefault] = {file.string(), read_file(file)};
  std::error_code error;
  if (fs::is_directory(model_dir / kMoreTemplates, error)) {
    for (const auto& entry : fs::directory_iterator(model_dir / kMoreTemplates, error)) {
      if (entry.path().extension() != ".jinja") continue;
      sources[entry.path().stem().string()] = {entry.path().string(), read_file(entry.path())};
    }
  }
  for (const char* name : {kConfigFile, kLegacyFile}) {
    if (sources.empty()) sources = sources_in(read_object(model_dir / name), model_dir / name);
  }
  return sources;
}

/// "bos_token" and its like: strings, or objects with the string as their content.
void add_special_tokens(const nlohmann::json& object, ChatTemplate::SpecialTokens& tokens) {
  for (const auto& [key, value] : object.items()) {
    if (!key.ends_with("_token")) continue;
    if (value.is_string()) tokens.emplace(key, value.get<std::string>());
    if (value.is_object() && value.contains("content") && value["content"].is_string()) {
      tokens.emplace(key, value["content"].get<std::string>());
    }
  }
}

ChatTemplate::SpecialTokens find_special_tokens(const fs::path& model_dir) {
  ChatTemplate::SpecialTokens tokens;
  const nlohmann::json config = read_object(model_dir / kConfigFile);
  add_special_tokens(config, tokens);
  if (config.contains("extra_special_tokens")) add_special_tokens(config["extra_special_tokens"], tokens);
  add_special_tokens(read_object(model_dir / "special_tokens_map.json"), tokens);
  return tokens;
}

/// Template text is what the lexer walks over character by character, so it has to be UTF-8.
jinja::Body parse(const Source& source) {
  if (!utf8::is_valid(source.text)) fail_input(source.place, ": is not UTF-8");
  try {
    return jinja::parse(source.text);
  } catch (const Error& error) {
    throw Error(error.kind(), cat(source.place, ": ", error.what()));
  }
}

/// A template and where it stands. What is not understood is an error when it is used: folders whose models are only
/// ever given raw text are none the worse for their template.
class Parsed {
 public:
  explicit Parsed(const Source& source) : place(source.place) {
    try {
      body_.emplace(parse(source));
    } catch (const Error& error) {
      problem_.emplace(error);
    }
  }
  const jinja::Body& body() const {
    if (problem_) throw Error(problem_->kind(), problem_->what());
    return *body_;
  }

  const std::string place;

 private:
  std::optional<jinja::Body> body_;
  std::optional<Error> problem_;
};

/// About how much text the variables are, which says how much a rendering may do with them.
template <typename Json>
std::size_t text_bytes(const Json& variables) {
  std::size_t bytes = 0;
  std::vector<const Json*> left{&variables};
  while (!left.empty()) {
    const Json& json = *left.back();
    left.pop_back();
    bytes += 8;
    if (json.is_string()) bytes += json.template get_ref<const std::string&>().size();
    if (json.is_structured()) {
      for (const Json& inner : json) left.push_back(&inner);
    }
  }
  return bytes;
}

}  // namespace

struct ChatTemplate::Parts {
  Parts(const Sources& sources, SpecialTokens tokens) : special_tokens(std::move(tokens)) {
    if (const auto found = sources.find(kDefault); found != sources.end()) plain.emplace(found->second);
    if (const auto found = sources.find(kToolUse); found != sources.end()) tool_use.emplace(found->second);
  }

  template <typename Json>
  const Parsed& choose(const Json& variables) const {
    const auto tools = variables.find("tools");
    if (tool_use && tools != variables.end() && !tools->is_null()) return *tool_use;
    if (!plain) fail_input(tool_use->place, ": is a template for tools, and there is none without; give `tools`");
    return *plain;
  }

  template <typename Json>
  std::string render(const Json& variables, std::optional<TimePoint> now) const {
    if (!variables.is_object()) fail_input("the variables of a chat template must be an object");
    const Parsed& chosen = choose(variables);
    const jinja::Body& body = chosen.body();
    jinja::Context context(text_bytes(variables), now);
    try {
      jinja::define_globals(context);
      for (const auto& [key, token] : special_tokens) context.define(key, jinja::Value::constant(token));
      for (const auto& [key, value] : variables.items()) context.define(key, jinja::Value::from_json(value));
      context.enter(context.scope());
      jinja::TextBuilder out(context.budget());
      jinja::run_body(body, context, out);
      return out.text();
    } catch (const jinja::TemplateError& error) {
      fail_input(chosen.place, ": line ", context.line(), ": ", error.what());
    }
  }

  std::optional<Parsed> plain;
  std::optional<Parsed> tool_use;
  SpecialTokens special_tokens;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::load(const fs::path& model_dir) {
  const Sources sources = find_sources(model_dir);
  if (!sources.contains(kDefault) && !sources.contains(kToolUse)) {
    fail_input(model_dir.string(), ": has no chat template: neither ", kTemplateFile, " nor \"chat_template\" in ",
               kConfigFile, "; give raw text instead");
  }
  return ChatTemplate(std::make_unique<const Parts>(sources, find_special_tokens(model_dir)));
}

bool ChatTemplate::exists(const fs::path& model_dir) {
  const Sources sources = find_sources(model_dir);
  return sources.contains(kDefault) || sources.contains(kToolUse);
}

ChatTemplate ChatTemplate::parse(std::string source, const SpecialTokens& special_tokens) {
  const Sources sources{{kDefault, {"chat template", std::move(source)}}};
  return ChatTemplate(std::make_unique<const Parts>(sources, special_tokens));
}

std::string ChatTemplate::render(const nlohmann::json& variables, std::optional<TimePoint> now) const {
  return parts_->render(variables, now);
}

std::string ChatTemplate::render(const nlohmann::ordered_json& variables, std::optional<TimePoint> now) const {
  return parts_->render(variables, now);
}

std::string ChatTemplate::render_user_turn(std::string_view text, std::string_view system) const {
  nlohmann::json messages = nlohmann::json::array();
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", utf8::sanitize(system)}});
  messages.push_back({{"role", "user"}, {"content", utf8::sanitize(text)}});
  // transformers gives every template these two, and templates ask whether they are none.
  return render(nlohmann::json{
      {"messages", std::move(messages)}, {"add_generation_prompt", true}, {"tools", nullptr}, {"documents", nullptr}});
}

}  // namespace kvmesh::llm
