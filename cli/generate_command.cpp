#include <iostream>

#include "agents/llm/generate.hpp"
#include "agents/llm/host.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/model_arguments.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string prompt;
  bool raw = false;
  int max_tokens = 128;
};

int generate(const Arguments& arguments) {
  llm::set_compute_threads(arguments.model.threads);
  const llm::Host host = llm::Host::load(arguments.model.model_dir, arguments.model.options);
  const auto ids = host.encode_prompt(arguments.prompt, !arguments.raw);
  if (ids.empty()) fail_input("--prompt: has no tokens");
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const std::int64_t limit = host.model().config().position_limit;
  if (tokens + arguments.max_tokens > limit)
    fail_input("--prompt: ", tokens, " tokens and up to ", arguments.max_tokens,
               " to generate are more than the model's max_position_embeddings ", limit);
  llm::KvCache cache = host.model().make_cache(tokens + arguments.max_tokens);
  const auto output = host.model().forward({.embeddings = host.model().embed(ids)}, cache);
  llm::StreamingDecoder decoder(host.tokenizer());
  llm::GenerateOptions options{.max_tokens = arguments.max_tokens, .stop_tokens = host.stop_tokens()};
  options.on_token = [&](std::int64_t id) {
    std::cout << decoder.push(id) << std::flush;
    return std::cout.good();
  };
  llm::generate_greedy(host.model(), cache, output.logits, options);
  std::cout << decoder.flush() << '\n';
  return kExitOk;
}

}  // namespace

void add_generate_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("generate", "run one model alone, streaming what it says");
  arguments->model.add_to(*command);
  command->add_option("--prompt", arguments->prompt, "what the user says")->required();
  command->add_flag("--raw", arguments->raw, "give the model the text itself, without the chat template");
  command->add_option("--max-tokens", arguments->max_tokens, "at most so many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([&action, arguments] { action = [arguments] { return generate(*arguments); }; });
}

}  // namespace kvmesh::cli
