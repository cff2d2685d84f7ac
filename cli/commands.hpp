#pragma once

#include "cli/arguments.hpp"

namespace kvmesh::cli {

// Each adds its subcommand to `app`; docs/cli.md has the table of all of them.
// Of kvmesh:
void add_check_command(Command app);
void add_orchestrate_command(Command app);
void add_render_command(Command app);
void add_run_command(Command app);
void add_tokenize_command(Command app);
// Of kvmesh-host, because they compute with a model:
void add_agent_command(Command app);
void add_agents_command(Command app);
void add_calibrate_command(Command app);
void add_demo_command(Command app);
void add_eval_command(Command app);
void add_generate_command(Command app);
void add_inspect_command(Command app);
void add_logits_command(Command app);
void add_share_command(Command app);

// Of kvmesh-bench:
void add_bench_command(Command app);
// Subcommands of bench.
void add_bench_llm_command(Command bench);
void add_bench_start_command(Command bench);
void add_bench_transport_command(Command bench);

/// Exit statuses that every command uses alike.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRecordFailed = 1;
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitMeshFailed = 3;

}  // namespace kvmesh::cli
