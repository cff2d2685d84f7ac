#include <boost/process.hpp>
#include <chrono>
#include <memory>
#include <ostream>

#include "base/error.hpp"
#include "base/instruction_set.hpp"
#include "bench/llm/llm.hpp"
#include "bench/llm/machine.hpp"
#include "cli/commands.hpp"
#include "cli/number_checks.hpp"
#include "cli/programs.hpp"
#include "llm/model/gguf.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  bench::LlmOptions options;
  bool json = false;
};

/// Seconds that `kvmesh demo` takes, held to `isa` where that is not empty.
double demo_seconds(const std::string& isa, bool quick) {
  boost::process::environment environment = boost::this_process::environment();
  if (!isa.empty()) environment["KVMESH_ISA"] = isa;
  const auto start = std::chrono::steady_clock::now();
  const int status = boost::process::system("/usr/bin/env", user_program(), "demo", "--limit", quick ? "2" : "20",
                                            environment, boost::process::std_out > boost::process::null,
                                            boost::process::std_err > boost::process::null);
  if (status != kExitOk)
    fail_input("kvmesh demo, which bench llm times, ended with ", status, "; run it by hand to see why");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What a processor with tiles of bf16 gains over most others; null where there is nothing to compare.
void measure_demo(bool quick, const bench::Emit& emit) {
  bench::RowSpec spec{
      .name = "demo, KVMESH_ISA=avx2", .unit = "s", .bar = 1.5, .higher_is_better = false, .note = "the same with AMX"};
  if (!bench::has_amx() || instruction_set_limit()) {
    spec.note = bench::has_amx() ? "KVMESH_ISA is set already" : "this processor has no AMX";
    emit({.name = spec.name, .unit = spec.unit, .higher_is_better = false, .note = spec.note});
    return;
  }
  bench::Comparison comparison(spec);
  comparison.run(
      quick ? 1 : 3, [&] { return demo_seconds("avx2", quick); }, [&] { return demo_seconds("", quick); });
  emit(comparison.row());
}

}  // namespace

void add_bench_llm_command(Command bench) {
  auto arguments = std::make_shared<Arguments>();
  Command command =
      bench.subcommand("llm", "Measure prefill, decode, first token and memory beside a plain libtorch loop");
  command.option("model", arguments->options.model_dir, "The small model, a plain Llama; a GGUF file is measured alone")
      .show_default();
  command.option("--llama-cpp", arguments->options.llama_cpp,
                 "Where npm has installed node-llama-cpp: what a GGUF file is measured beside");
  command.flag("--quick", arguments->options.quick, "Take about a minute: fewer runs, and no prompts of 8,192 tokens");
  command.flag("--json", arguments->json, "Print one JSON object per row");
  command.option("--threads", arguments->options.threads, kOwnThreadsHelp).check(thread_count());
  command.runs([arguments](std::ostream& out) {
    arguments->options.model_dir = orchestrator::resolve_model(arguments->options.model_dir.string());
    if (llm::is_gguf(arguments->options.model_dir)) arguments->options.gguf = {arguments->options.model_dir};
    arguments->options.more = [arguments](const bench::Emit& emit) { measure_demo(arguments->options.quick, emit); };
    return bench::run_llm(arguments->options, arguments->json, out) ? kExitOk : kExitRecordFailed;
  });
}

}  // namespace kvmesh::cli
