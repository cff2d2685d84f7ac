#pragma once

#include <cstdint>
#include <vector>

#include "llm/model/config.hpp"
#include "llm/model/gguf.hpp"

namespace kvmesh::llm {

/// What a GGUF file's metadata says of its model. A key that is missing means what llama.cpp means by leaving it out
/// (src/llama-model.cpp, load_hparams, as of 2026). Throws Error{kFixInput} that names file and key: an architecture
/// other than llama, qwen2, qwen3, gemma2 and gemma3, a key missing or of a wrong type, a value that is not
/// implemented.
ModelConfig read_gguf_config(const GgufFile& file);

/// Ids that the metadata says a turn ends with: of the end of a text, of a turn, of a message.
std::vector<std::int64_t> read_gguf_stop_tokens(const GgufMetadata& metadata);

}  // namespace kvmesh::llm
