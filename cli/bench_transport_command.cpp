#include <ATen/Parallel.h>

#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/transport/transport.hpp"
#include "cli/commands.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  bool quick = false;
  bool json = false;
};

std::string number(double value) {
  std::ostringstream out;
  out << std::setprecision(value < 10 ? 3 : 4) << value;
  return out.str();
}

std::string verdict(const bench::Row& row) {
  if (row.bar == 0) return "";
  return std::string(row.higher_is_better ? ">= " : "<= ") + number(row.bar) + (row.met() ? "" : "  MISSED");
}

void print(const bench::Row& row) {
  std::cout << std::left << std::setw(26) << row.name << std::right << std::setw(10) << number(row.ours)
            << std::setw(11) << number(row.reference) << "  " << std::left << std::setw(14) << row.unit << std::setw(6)
            << number(row.ratio) << std::setw(14) << number(row.low) + "-" + number(row.high) << std::setw(16)
            << verdict(row) << row.note << std::endl;
}

void print_json(const bench::Row& row) {
  std::cout << nlohmann::json{{"name", row.name},
                              {"ours", row.ours},
                              {"reference", row.reference},
                              {"unit", row.unit},
                              {"ratio", row.ratio},
                              {"low", row.low},
                              {"high", row.high},
                              {"bar", row.bar == 0 ? nlohmann::json() : nlohmann::json(row.bar)},
                              {"note", row.note},
                              {"better", row.higher_is_better ? "higher" : "lower"}}
                   .dump()
            << std::endl;
}

int bench_transport(const Arguments& arguments) {
  at::set_num_threads(1);
  if (!arguments.json)
    std::cout << "row                             ours  reference  unit          ratio (spread)      bar             "
                 "reference is\n";
  const bench::Emit emit = arguments.json ? print_json : print;
  bench::measure_control(emit);
  bench::measure_quantization(emit);
  bench::measure_streams(emit);
  return 0;
}

}  // namespace

void add_bench_transport_command(CLI::App& bench, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = bench.add_subcommand("transport", "what moving KV costs, beside raw ZeroMQ and a plain copy");
  command->add_flag("--quick", arguments->quick, "under a minute: without the rows that run a model");
  command->add_flag("--json", arguments->json, "one JSON object a row");
  command->callback([&action, arguments] { action = [arguments] { return bench_transport(*arguments); }; });
}

}  // namespace kvmesh::cli
