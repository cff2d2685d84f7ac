#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <iosfwd>

namespace kvmesh::cli {

/// What the command line asked for: set by the subcommand that was chosen, run by run_program() with standard output
/// (cli/output.hpp), gives the exit status.
using Action = std::function<int(std::ostream& out)>;

// Each adds its subcommand to `app`; docs/cli.md has the table of all of them.
// Of kvmesh:
void add_check_command(CLI::App& app, Action& action);
void add_orchestrate_command(CLI::App& app, Action& action);
void add_render_command(CLI::App& app, Action& action);
void add_run_command(CLI::App& app, Action& action);
void add_tokenize_command(CLI::App& app, Action& action);
// Of kvmesh-host, because they compute with a model:
void add_agent_command(CLI::App& app, Action& action);
void add_agents_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_calibrate_command(CLI::App& app, Action& action);
void add_demo_command(CLI::App& app, Action& action);
void add_eval_command(CLI::App& app, Action& action);
void add_generate_command(CLI::App& app, Action& action);
void add_inspect_command(CLI::App& app, Action& action);
void add_logits_command(CLI::App& app, Action& action);
void add_share_command(CLI::App& app, Action& action);

// Subcommands of bench.
void add_bench_llm_command(CLI::App& bench, Action& action);
void add_bench_start_command(CLI::App& bench, Action& action);
void add_bench_transport_command(CLI::App& bench, Action& action);

/// Exit statuses that every command uses alike.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRecordFailed = 1;
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitMeshFailed = 3;

}  // namespace kvmesh::cli
