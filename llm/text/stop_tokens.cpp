#include "llm/text/stop_tokens.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// The special token that the template writes behind an assistant's message, white space aside.
std::optional<std::int64_t> end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  constexpr std::string_view kSaid = "kvmesh-says-this";
  const nlohmann::json messages = {{{"role", "user"}, {"content", "Hello."}},
                                   {{"role", "assistant"}, {"content", kSaid}}};
  std::string text;
  try {
    text = chat_template.render(nlohmann::json{
        {"messages", messages}, {"add_generation_prompt", false}, {"tools", nullptr}, {"documents", nullptr}});
  } catch (const Error&) {
    return std::nullopt;  // a template that cannot be used, or wants more: an error when a prompt uses it
  }
  const std::size_t said = text.rfind(kSaid);
  if (said == std::string::npos) return std::nullopt;
  const std::size_t end = text.find_first_not_of(" \t\r\n", said + kSaid.size());
  if (end == std::string::npos) return std::nullopt;
  const std::vector<std::int64_t> ids = tokenizer.encode(std::string_view(text).substr(end), /*add_special=*/false);
  if (ids.empty() || !tokenizer.is_special(ids.front())) return std::nullopt;
  return ids.front();
}

}  // namespace

std::vector<std::int64_t> gather_stop_tokens(std::vector<std::int64_t> from_config, const Tokenizer& tokenizer,
                                             const ChatTemplate* chat_template) {
  std::vector<std::int64_t> stops = std::move(from_config);
  const auto add = [&](std::optional<std::int64_t> id) {
    if (id && std::find(stops.begin(), stops.end(), *id) == stops.end()) stops.push_back(*id);
  };
  add(tokenizer.eos_token());
  if (chat_template != nullptr) add(end_of_turn(tokenizer, *chat_template));
  return stops;
}

}  // namespace kvmesh::llm
