#include <optional>
#include <ostream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/model_arguments.hpp"
#include "cli/number_checks.hpp"
#include "llm/decode/answer_text.hpp"
#include "llm/decode/generate.hpp"
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

int generate(const Arguments& arguments, std::ostream& out) {
  if (const std::string problem = problem_of(arguments.sampling); !problem.empty()) fail_input(problem);
  for (const std::string& stop : arguments.stop)
    if (stop.empty()) fail_input("--stop: is empty; leave it out, or write what to stop at");
  llm::set_compute_threads(arguments.model.threads);
  const llm::Host host = llm::Host::load(arguments.model.path(), arguments.model.options);
  say_notes(host.model());
  const auto ids = host.encode_prompt(arguments.prompt, !arguments.raw, arguments.system);
  if (ids.empty()) fail_input("--prompt: has no tokens");
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const std::int64_t limit = host.model().config().position_limit;
  if (tokens + arguments.max_tokens > limit)
    fail_input("--prompt: ", tokens, " tokens and up to ", arguments.max_tokens,
               " to generate are more than the model's ", llm::describe_position_limit(host.model().config()));
  llm::KvCache cache = host.model().make_cache(tokens + arguments.max_tokens);
  const auto output = host.model().forward({.embeddings = host.model().embed(ids)}, cache);
  llm::AnswerText answer(host.tokenizer(), arguments.stop);
  std::optional<std::int64_t> stop_token;
  llm::GenerateOptions options{.max_tokens = arguments.max_tokens,
                               .stop_tokens = host.stop_tokens(),
                               .sampling = arguments.sampling,
                               .prompt_tokens = ids};
  options.on_token = [&](std::int64_t id) {
    out << answer.push(id) << std::flush;
    return !answer.stopped();
  };
  options.on_stop_token = [&](std::int64_t id) { stop_token = id; };
  llm::generate(host.model(), cache, output.logits, options);
  out << answer.finish(stop_token) << '\n';
  return kExitOk;
}

}  // namespace

void add_generate_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("generate", summary_of("generate"));
  arguments->model.add_to(command);
  command.option("--prompt", arguments->prompt, "What the user says").required();
  const Option system = command.option("--system", arguments->system, "A system message before it");
  command.flag("--raw", arguments->raw, "Give the model the text itself, without the chat template").excludes(system);
  command.option("--max-tokens", arguments->max_tokens, "How many tokens may be generated")
      .check(whole_number(1))
      .show_default();
  SamplingOptions& sampling = arguments->sampling;
  const auto add = [&](const char* name, auto& value, const char* what, const Check& check) {
    command.option(name, value, what).check(check).show_default();
  };
  add("--temperature", sampling.temperature, "0: always take the best token; above 0: draw one", number(0));
  add("--top-k", sampling.top_k, "Draw from the k best tokens only; 0: from all", whole_number(0));
  add("--top-p", sampling.top_p, "Draw from the best tokens that have this probability together", number(0, 1));
  add("--min-p", sampling.min_p, "Draw from tokens at least this probable, the best one counting as 1", number(0, 1));
  add("--repetition-penalty", sampling.repetition_penalty, "Above 1: tokens that were there become less probable",
      number(0));
  add("--seed", sampling.seed, "The same seed gives the same text", seed());
  command.option("--stop", arguments->stop, "End before this text; may be given several times").one_at_a_time();
  command.runs([arguments](std::ostream& out) { return generate(*arguments, out); });
}

}  // namespace kvmesh::cli
