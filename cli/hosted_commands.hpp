#pragma once

#include <array>
#include <string_view>

namespace kvmesh::cli {

/// A command of kvmesh-host, and the line that both programs' help has for it.
struct HostedCommand {
  const char* name;
  const char* summary;  ///< empty: help does not show it
};

/// In the order of `kvmesh --help`.
inline constexpr std::array<HostedCommand, 10> kHostedCommands{{
    {"agent", "Host one agent of a mesh in this process"},
    {"agents", ""},  // an orchestrator's way to start them
    {"inspect", "Show what a model is: sizes, attention, weights, and what is in doubt"},
    {"generate", "Run one model alone and print what it says as it says it"},
    {"logits", "Print the logits of given token ids; needs no tokenizer"},
    {"share", "Make one exchange between two models on given token ids"},
    {"calibrate", "Measure the layer scores of every kv edge and write a profile"},
    {"eval", "Score methods of communication on a data set"},
    {"demo", "Ask the example questions, then score a few methods on the test data"},
    {"bench", "Measure this build beside the least that its work could cost on this machine"},
}};

constexpr const HostedCommand* find_hosted(std::string_view name) {
  for (const HostedCommand& command : kHostedCommands)
    if (name == command.name) return &command;
  return nullptr;
}

/// Of a command that is in the table.
constexpr const char* summary_of(std::string_view name) { return find_hosted(name)->summary; }

}  // namespace kvmesh::cli
