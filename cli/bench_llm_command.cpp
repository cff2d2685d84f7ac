#include <memory>
#include <ostream>

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
      bench.add_subcommand("llm", "Measure prefill, decode, first token and memory beside a plain libtorch loop");
  command->add_option("model_dir", arguments->options.model_dir, "The small model, a plain Llama")
      ->capture_default_str();
  command->add_flag("--quick", arguments->options.quick,
                    "Take about a minute: fewer runs, and no prompts of 8,192 tokens");
  command->add_flag("--json", arguments->json, "Print one JSON object per row");
  command->add_option("--threads", arguments->options.threads, kOwnThreadsHelp)->check(thread_count());
  command->callback([&action, arguments] {
    action = [arguments](std::ostream& out) {
      return bench::run_llm(arguments->options, arguments->json, out) ? kExitOk : kExitRecordFailed;
    };
  });
}

}  // namespace kvmesh::cli
