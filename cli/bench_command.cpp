#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"

namespace kvmesh::cli {

void add_bench_command(Command app) {
  Command bench = app.subcommand("bench", summary_of("bench"));
  bench.need_subcommand();
  add_bench_llm_command(bench);
  add_bench_start_command(bench);
  add_bench_transport_command(bench);
}

}  // namespace kvmesh::cli
