#include <ATen/Parallel.h>
#include <malloc.h>

#include <memory>
#include <ostream>

#include "bench/transport/transport.hpp"
#include "cli/commands.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  bool quick = false;
  bool json = false;
};

int bench_transport(const Arguments& arguments, std::ostream& out) {
  at::set_num_threads(1);
  if (!arguments.json) bench::print_head(out);
  bool met = true;
  const bench::Emit emit = [&met, &out, json = arguments.json](const bench::Row& row) {
    met = met && row.met();
    json ? bench::print_json(row, out) : bench::print(row, out);
  };
  if (!arguments.quick) {
    bench::measure_overlap(emit);  // first: it forks, which goes well with one thread
    ::malloc_trim(0);              // gives back the model's gigabytes: what follows runs as it does with --quick
  }
  bench::measure_control(emit);
  bench::measure_quantization(emit);
  bench::measure_prefix_reuse(emit);
  bench::measure_streams(emit);
  return met ? kExitOk : kExitRecordFailed;
}

}  // namespace

void add_bench_transport_command(Command bench) {
  auto arguments = std::make_shared<Arguments>();
  Command command = bench.subcommand("transport", "Measure what moving KV costs beside raw ZeroMQ and a plain copy");
  command.flag("--quick", arguments->quick, "Take under a minute: leave out the rows that run a model");
  command.flag("--json", arguments->json, "Print one JSON object per row");
  command.runs([arguments](std::ostream& out) { return bench_transport(*arguments, out); });
}

}  // namespace kvmesh::cli
