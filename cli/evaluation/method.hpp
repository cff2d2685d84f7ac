#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// What every method of a comparison has in common.
struct Comparison {
  std::vector<std::filesystem::path> senders;  ///< one serves all contexts, or one for each
  std::filesystem::path receiver;
  std::filesystem::path calibration;  ///< a .jsonl file; empty: none
  std::size_t contexts = 1;
  int max_tokens = 32;
  std::string dtype = "auto";
};

/// The topology that a method is, as the text of a topology file: the paper's prompts, one reader for each context and
/// one solver. Methods:
///   baseline           the solver with the question alone
///   skyline            one model that reads everything
///   kv:0.3  kv:all     shared KV at the best layers by calibration, or all
///   random:0.3[:SEED]  random layers, drawn anew for each record
///   contiguous:0.3     one run of layers
/// Throws Error{kFixInput} that quotes a method that is not known and lists those that are.
std::string topology_of(const std::string& method, const Comparison& comparison);

}  // namespace kvmesh::cli
