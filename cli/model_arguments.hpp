#pragma once

#include <iostream>
#include <string>

#include "cli/number_checks.hpp"
#include "llm/model/model.hpp"
#include "llm/runtime.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {

/// A model and how to compute with it, as several commands take them.
struct ModelArguments {
  std::string model;
  llm::Model::Options options;
  int threads = 0;

  std::filesystem::path path() const { return orchestrator::resolve_model(model); }

  void add_to(Command command) {
    command.option("model", model, orchestrator::kModelPathHelp).required();
    command.option("--dtype", options.dtype, "What to compute in: auto is what the weights are stored in")
        .check(one_of({"auto", "fp32", "bf16", "fp16"}))
        .show_default();
    command.option("--device", options.device, "Where to compute: cpu or cuda:N").show_default();
    command.option("--threads", threads, kOwnThreadsHelp).check(thread_count());
  }
};

/// What was found beside the model that a reader of its answers should know, on standard error.
inline void say_notes(const llm::Model& model) {
  for (const std::string& note : model.notes()) std::cerr << "kvmesh: " << note << '\n';
}

}  // namespace kvmesh::cli
