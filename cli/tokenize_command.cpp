#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "llm/text/tokenizer.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string model;
  bool special = false, decode = false, skip_special = false;
};

std::string print(const nlohmann::ordered_json& object) {
  // A token of a byte-level vocabulary is text; one of another kind may hold bytes that are no UTF-8 on their own.
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<std::int64_t> ids_from(const std::string& text) {
  const nlohmann::json object = wire::parse_json(text, {.file = "standard input"});
  if (!object.is_object() || !object.contains("ids") || !object.at("ids").is_array())
    fail_input("standard input: --decode reads an object such as {\"ids\": [1, 2, 3]}");
  std::vector<std::int64_t> ids;
  for (const nlohmann::json& id : object.at("ids")) {
    if (!id.is_number_integer()) fail_input("standard input: \"ids\" holds ", id.dump(), ", which is no token id");
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

int tokenize(const Arguments& arguments, std::ostream& out) {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(orchestrator::resolve_model(arguments.model));
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  if (arguments.decode) {
    out << print({{"text", tokenizer.decode(ids_from(input), arguments.skip_special)}}) << '\n';
    return kExitOk;
  }
  const std::vector<std::int64_t> ids = tokenizer.encode(input, arguments.special);
  std::vector<std::string> tokens;
  for (std::int64_t id : ids) tokens.push_back(tokenizer.token(id));
  out << print({{"ids", ids}, {"tokens", tokens}}) << '\n';
  return kExitOk;
}

}  // namespace

void add_tokenize_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("tokenize", "Tokenize standard input, or turn ids back into text");
  command.option("model", arguments->model, orchestrator::kModelPathHelp).required();
  Option special = command.flag("--special", arguments->special, "Apply the post-processor");
  const Option decode = command.flag("--decode", arguments->decode, "Read {\"ids\": [...]} and print {\"text\": ...}");
  command.flag("--skip-special", arguments->skip_special, "Leave special tokens out of the text").needs(decode);
  special.excludes(decode);
  command.runs([arguments](std::ostream& out) { return tokenize(*arguments, out); });
}

}  // namespace kvmesh::cli
