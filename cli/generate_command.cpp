#include <iostream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/model_arguments.hpp"
#include "cli/number_checks.hpp"
#include "llm/decode/generate.hpp"
#include "llm/decode/stop_strings.hpp"
#include "llm/host.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string prompt;
  std::string system;
  bool raw = false;
  int max_tokens = 128;
  SamplingOptions sampling;
  std::vector<std::string> stop;
};

int generate(const Arguments& arguments) {
  if (const std::string problem = problem_of(arguments.sampling); !problem.empty()) fail_input(problem);
  llm::StopStrings stop(arguments.stop);
  llm::set_compute_threads(arguments.model.threads);
  const llm::Host host = llm::Host::load(arguments.model.model_dir, arguments.model.options);
  const auto ids = host.encode_prompt(arguments.prompt, !arguments.raw, arguments.system);
  if (ids.empty()) fail_input("--prompt: has no tokens");
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const std::int64_t limit = host.model().config().position_limit;
  if (tokens + arguments.max_tokens > limit)
    fail_input("--prompt: ", tokens, " tokens and up to ", arguments.max_tokens,
               " to generate are more than the model's ", llm::describe_position_limit(host.model().config()));
  llm::KvCache cache = host.model().make_cache(tokens + arguments.max_tokens);
  const auto output = host.model().forward({.embeddings = host.model().embed(ids)}, cache);
  llm::StreamingDecoder decoder(host.tokenizer());
  llm::GenerateOptions options{.max_tokens = arguments.max_tokens,
                               .stop_tokens = host.stop_tokens(),
                               .sampling = arguments.sampling,
                               .prompt_tokens = ids};
  options.on_token = [&](std::int64_t id) {
    std::cout << stop.push(decoder.push(id)) << std::flush;
    return std::cout.good() && !stop.found();
  };
  llm::generate(host.model(), cache, output.logits, options);
  std::cout << stop.push(decoder.flush()) << stop.finish() << '\n';
  return kExitOk;
}

}  // namespace

void add_generate_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("generate", "run one model alone, streaming what it says");
  arguments->model.add_to(*command);
  command->add_option("--prompt", arguments->prompt, "what the user says")->required();
  CLI::Option* system = command->add_option("--system", arguments->system, "a system message before it");
  command->add_flag("--raw", arguments->raw, "give the model the text itself, without the chat template")
      ->excludes(system);
  command->add_option("--max-tokens", arguments->max_tokens, "at most so many")
      ->check(above_zero())
      ->capture_default_str();
  SamplingOptions& sampling = arguments->sampling;
  const auto number = [&](const char* name, auto& value, const char* what) {
    command->add_option(name, value, what)->capture_default_str();
  };
  number("--temperature", sampling.temperature, "0: always the best token");
  number("--top-k", sampling.top_k, "draw from the k best only; 0: from all");
  number("--top-p", sampling.top_p, "draw from the best that are this probable together");
  number("--min-p", sampling.min_p, "draw from those this probable, the best being 1");
  number("--repetition-penalty", sampling.repetition_penalty, "above 1: tokens already there become less probable");
  number("--seed", sampling.seed, "same seed, same text");
  command->add_option("--stop", arguments->stop, "end before this text; may stand several times")->take_all();
  command->callback([&action, arguments] { action = [arguments] { return generate(*arguments); }; });
}

}  // namespace kvmesh::cli
