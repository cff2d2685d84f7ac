// The kvmesh-bench program: what `kvmesh bench` runs. Users start it through kvmesh.

#include <fstream>

#include "cli/commands.hpp"
#include "cli/program.hpp"
#include "cli/programs.hpp"
#include "llm/runtime.hpp"

namespace kvmesh::cli {

std::string user_program() {
  std::string name;
  std::getline(std::ifstream("/proc/self/cmdline"), name, '\0');
  return name;
}

}  // namespace kvmesh::cli

int main(int argc, char** argv) {
  return kvmesh::cli::run_program(argc, argv, [argv](kvmesh::cli::Command app) {
    kvmesh::llm::prepare_process(argv);
    kvmesh::cli::add_bench_command(app);
  });
}
