#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "cli/commands.hpp"
#include "cli/time_text.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "llm/text/chat_template.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string model, messages, now;
};

/// In the file's order of keys: tools are printed in it.
nlohmann::ordered_json read_variables(const std::string& file) {
  const nlohmann::ordered_json variables =
      wire::parse_ordered_json(read_text(file, "--messages:", "name a JSON file"), {.file = file});
  if (!variables.is_object() || !variables.contains("messages") || !variables.at("messages").is_array())
    fail_input(file, R"(: expected an object such as {"messages": [{"role": "user", "content": "Hi"}]})");
  return variables;
}

int render(const Arguments& arguments, std::ostream& out) {
  const nlohmann::ordered_json variables = read_variables(arguments.messages);
  std::optional<std::chrono::system_clock::time_point> now;
  if (!arguments.now.empty()) now = time_from_text(arguments.now);
  out << llm::ChatTemplate::load(orchestrator::resolve_model(arguments.model)).render(variables, now) << std::flush;
  return kExitOk;
}

}  // namespace

void add_render_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("render", "Print what a checkpoint's chat template makes of messages");
  command.option("model", arguments->model, orchestrator::kModelPathHelp).required();
  command.option("--messages", arguments->messages, "A JSON file: an object with messages and other variables")
      .required();
  command.option("--now", arguments->now,
                 "The time to tell a template that asks, such as 2025-07-10T12:00:00Z; default: now");
  command.runs([arguments](std::ostream& out) { return render(*arguments, out); });
}

}  // namespace kvmesh::cli
