#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <ostream>
#include <string>

#include "base/error.hpp"
#include "bench/row.hpp"
#include "cli/commands.hpp"
#include "cli/programs.hpp"

namespace kvmesh::cli {
namespace {

constexpr double kBarMs = 50;

double milliseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

/// Processor time of `kvmesh --version`, from exec to exit.
double start_ms(const std::string& program) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execlp(program.c_str(), program.c_str(), "--version", nullptr);
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) < 0 || status != 0)
    throw Error(ErrorKind::kGiveUp, cat(program, " --version cannot be run"));
  return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

int bench_start(bool json, std::ostream& out) {
  const std::string program = user_program();
  const bench::Row row = bench::compare(
      {.name = "start, kvmesh --version",
       .unit = "ms",
       .bar = 1,
       .higher_is_better = false,
       .note = "processor time; the reference is the bar"},
      [&] { return start_ms(program); }, [] { return kBarMs; });
  if (!json) bench::print_head(out);
  json ? bench::print_json(row, out) : bench::print(row, out);
  return row.met() ? kExitOk : kExitRecordFailed;
}

}  // namespace

void add_bench_start_command(Command bench) {
  auto json = std::make_shared<bool>(false);
  Command command = bench.subcommand("start", "Measure what a command costs that computes with no model");
  command.flag("--json", *json, "Print one JSON object per row");
  command.runs([json](std::ostream& out) { return bench_start(*json, out); });
}

}  // namespace kvmesh::cli
