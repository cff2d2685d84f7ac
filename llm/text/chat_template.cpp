#include "llm/text/chat_template.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/parser.hpp"
#include "llm/text/template_sources.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

/// Template text is what the lexer walks over character by character, so it has to be UTF-8.
jinja::Body parse(const TemplateSource& source) {
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
  explicit Parsed(const TemplateSource& source) : place(source.place) {
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
  Parts(const TemplateSources& sources, SpecialTokens tokens) : special_tokens(std::move(tokens)) {
    if (const auto found = sources.find(kDefaultTemplate); found != sources.end()) plain.emplace(found->second);
    if (const auto found = sources.find(kToolUseTemplate); found != sources.end()) tool_use.emplace(found->second);
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

ChatTemplate ChatTemplate::load(const std::filesystem::path& model) {
  const TemplateSources sources = find_templates(model);
  if (!sources.contains(kDefaultTemplate) && !sources.contains(kToolUseTemplate)) {
    fail_input(model.string(), ": has no chat template: ", missing_templates(model), "; give raw text instead");
  }
  return ChatTemplate(std::make_unique<const Parts>(sources, find_special_tokens(model)));
}

bool ChatTemplate::exists(const std::filesystem::path& model) {
  const TemplateSources sources = find_templates(model);
  return sources.contains(kDefaultTemplate) || sources.contains(kToolUseTemplate);
}

ChatTemplate ChatTemplate::parse(std::string source, const SpecialTokens& special_tokens) {
  const TemplateSources sources{{kDefaultTemplate, {"chat template", std::move(source)}}};
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
