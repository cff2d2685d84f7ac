#pragma once

#include <nlohmann/json_fwd.hpp>

#include "llm/model/checkpoint.hpp"

namespace kvmesh::cli {

/// What `inspect` says of a GGUF file beside what it says of every model: `metadata`, every key with its value (of an
/// array its length); `tensor_types`, how many tensors are of each type, and their bytes. Adds to `notes` what the file
/// leaves in doubt.
nlohmann::ordered_json gguf_facts(const llm::Checkpoint& checkpoint, std::vector<std::string>& notes);

}  // namespace kvmesh::cli
