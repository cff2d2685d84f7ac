// bench_llm [--quick] [--json] [MODEL_DIR]: what `kvmesh bench llm` measures, in a program without the mesh's
// libraries.

#include <iostream>
#include <string_view>

#include "bench/llm/llm.hpp"
#include "llm/runtime.hpp"

int main(int argc, char** argv) {
  using namespace kvmesh;
  bench::LlmOptions options{.model_dir = KVMESH_SOURCE_DIR "/models/tiny"};
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") options.quick = true;
    else if (argument == "--json") json = true;
    else options.model_dir = argument;
  }
  try {
    llm::prepare_process(argv);
    return bench::run_llm(options, json, std::cout) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "bench_llm: " << error.what() << '\n';
    return 2;
  }
}
