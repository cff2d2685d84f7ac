#pragma once

#include <array>
#include <string_view>

namespace kvmesh::cli {

/// A command that kvmesh does not run itself, and the line that help has for it.
struct HostedCommand {
  const char* name;
  const char* program;  ///< kvmesh-host, which loads libtorch, or kvmesh-bench, which the demo need not build
  const char* summary;  ///< empty: help does not show it
};

/// In the order of `kvmesh --help`.
inline constexpr std::array<HostedCommand, 10> kHostedCommands{{
    {"agent", "kvmesh-host", "Host one agent of a mesh in this process"},
    {"agents", "kvmesh-host", ""},  // an orchestrator's way to start them
    {"inspect", "kvmesh-host", "Show what a model is: sizes, attention, weights, and what is in doubt"},
    {"generate", "kvmesh-host", "Run one model alone and print what it says as it says it"},
    {"logits", "kvmesh-host", "Print the logits of given token ids; needs no tokenizer"},
    {"share", "kvmesh-host", "Make one exchange between two models on given token ids"},
    {"calibrate", "kvmesh-host", "Measure the layer scores of every kv edge and write a profile"},
    {"eval", "kvmesh-host", "Score methods of communication on a data set"},
    {"demo", "kvmesh-host", "Ask the example questions, then score a few methods on the test data"},
    {"bench", "kvmesh-bench", "Measure this build beside the least that its work could cost on this machine"},
}};

constexpr const HostedCommand* find_hosted(std::string_view name) {
  for (const HostedCommand& command : kHostedCommands)
    if (name == command.name) return &command;
  return nullptr;
}

/// Of a command that is in the table.
constexpr const char* summary_of(std::string_view name) { return find_hosted(name)->summary; }

}  // namespace kvmesh::cli
