// bench_llm [--quick] [--json] [--threads N] [--llama-cpp FOLDER] [MODEL_DIR | FILE.gguf...]: what `kvmesh bench llm`
// measures, in a program without the mesh's libraries.

#include <cstdlib>
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
    else if (argument == "--threads" && i + 1 < argc) options.threads = std::atoi(argv[++i]);
    else if (argument == "--llama-cpp" && i + 1 < argc) options.llama_cpp = argv[++i];
    else if (argument.ends_with(".gguf")) options.gguf.emplace_back(argument);
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
