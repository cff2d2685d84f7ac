#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "llm/model/weight_sources.hpp"

/// Looks at a checkpoint folder without libtorch and without loading it. Tokenizer::load and ChatTemplate::load do the
/// same for a folder's text half.
namespace kvmesh::llm {

struct CheckOptions {
  std::string dtype = "auto";  ///< as Model::Options
  std::string device = "cpu";  ///< as Model::Options
  bool every_number = false;   ///< reads all weights, and refuses NaN and infinity; else headers and sizes alone
  std::stop_token stop;
};

/// Throws what Model::load would throw for reasons that stand in the folder or in the names of dtype and device;
/// returns what it would note. Whether this host has the device is not known
/// here.
std::vector<std::string> check_checkpoint(const std::filesystem::path& model_dir, const CheckOptions& options = {});

/// Reads every tensor that the model uses, piece by piece, and keeps none. Throws as Checkpoint::read does. Returns the
/// digests that Checkpoint::fingerprint takes.
std::map<std::string, std::uint64_t> read_every_number(const Checkpoint& checkpoint, const WeightSources& sources,
                                                       const std::stop_token& stop = {});

}  // namespace kvmesh::llm
