#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/time_text.hpp"
#include "llm/text/chat_template.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string model_dir, messages, now;
};

/// In the file's order of keys: tools are printed in it.
nlohmann::ordered_json read_variables(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail_input(file, ": cannot be opened; --messages names a JSON file");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  nlohmann::ordered_json variables;
  try {
    variables = nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail_input(file, ": is not JSON: ", error.what());
  }
  if (!variables.is_object() || !variables.contains("messages") || !variables["messages"].is_array())
    fail_input(file, R"(: expected an object such as {"messages": [{"role": "user", "content": "Hi"}]})");
  return variables;
}

int render(const Arguments& arguments) {
  const nlohmann::ordered_json variables = read_variables(arguments.messages);
  std::optional<std::chrono::system_clock::time_point> now;
  if (!arguments.now.empty()) now = time_from_text(arguments.now);
  std::cout << llm::ChatTemplate::load(arguments.model_dir).render(variables, now) << std::flush;
  return kExitOk;
}

}  // namespace

void add_render_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("render", "print what a checkpoint's chat template makes of messages");
  command->add_option("model_dir", arguments->model_dir, "a folder with tokenizer_config.json or chat_template.jinja")
      ->required();
  command->add_option("--messages", arguments->messages, "a JSON file: an object with messages and other variables")
      ->required();
  command->add_option("--now", arguments->now, "the time to tell a template that asks, such as 2025-07-10T12:00:00Z");
  command->callback([&action, arguments] { action = [arguments] { return render(*arguments); }; });
}

}  // namespace kvmesh::cli
