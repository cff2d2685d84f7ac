#include <iostream>
#include <memory>

#include "bench/llm/llm.hpp"
#include "cli/commands.hpp"
#include "cli/number_checks.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  bench::LlmOptions options;
  bool json = false;
};

}  // namespace

void add_bench_llm_command(CLI::App& bench, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      bench.add_subcommand("llm", "prefill, decode, first token and memory, beside a plain libtorch loop");
  command->add_option("model_dir", arguments->options.model_dir, "the small model, a plain Llama")
      ->capture_default_str();
  command->add_flag("--quick", arguments->options.quick, "about a minute: no prompts of 8,192 tokens, fewer runs");
  command->add_flag("--json", arguments->json, "one JSON object a row");
  command->add_option("--threads", arguments->options.threads, "compute threads; 0: every core")->check(zero_or_more());
  command->callback([&action, arguments] {
    action = [arguments] {
      return bench::run_llm(arguments->options, arguments->json, std::cout) ? kExitOk : kExitRecordFailed;
    };
  });
}

}  // namespace kvmesh::cli
