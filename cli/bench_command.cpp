#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"

namespace kvmesh::cli {

void add_bench_command(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", summary_of("bench"));
  bench->require_subcommand(1);
  add_bench_llm_command(*bench, action);
  add_bench_start_command(*bench, action);
  add_bench_transport_command(*bench, action);
}

}  // namespace kvmesh::cli
