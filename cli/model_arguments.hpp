#pragma once

#include <CLI/CLI.hpp>
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

  void add_to(CLI::App& command) {
    command.add_option("model", model, orchestrator::kModelPathHelp)->required();
    command.add_option("--dtype", options.dtype, "What to compute in: auto is what the weights are stored in")
        ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}))
        ->capture_default_str();
    command.add_option("--device", options.device, "Where to compute: cpu or cuda:N")->capture_default_str();
    command.add_option("--threads", threads, kOwnThreadsHelp)->check(thread_count());
  }
};

/// What was found beside the model that a reader of its answers should know, on standard error.
inline void say_notes(const llm::Model& model) {
  for (const std::string& note : model.notes()) std::cerr << "kvmesh: " << note << '\n';
}

}  // namespace kvmesh::cli
