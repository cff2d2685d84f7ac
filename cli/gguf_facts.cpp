#include "cli/gguf_facts.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "llm/model/gguf.hpp"
#include "llm/text/gguf_tokens.hpp"

namespace kvmesh::cli {
namespace {

nlohmann::ordered_json tensor_types_of(const llm::Checkpoint& checkpoint) {
  struct Sum {
    std::size_t tensors = 0, bytes = 0;
  };
  std::map<std::string, Sum> sums;
  for (const llm::TensorFile& file : checkpoint.files()) {
    for (const auto& [name, entry] : file.entries()) {
      Sum& sum = sums[llm::name_of(entry.dtype)];
      ++sum.tensors;
      sum.bytes += entry.end - entry.begin;
    }
  }
  nlohmann::ordered_json types = nlohmann::ordered_json::object();
  for (const auto& [name, sum] : sums) types[name] = {{"tensors", sum.tensors}, {"bytes", sum.bytes}};
  return types;
}

void note_doubts(const llm::GgufMetadata& metadata, std::vector<std::string>& notes) {
  const auto text_of = [&](const char* key) { return metadata.find_text(key).value_or(""); };
  if (text_of("tokenizer.ggml.model") == "gpt2" && !metadata.has("tokenizer.ggml.pre"))
    notes.push_back(cat("tokenizer.ggml.pre is missing: text is cut as llama.cpp's \"", llm::kDefaultPreTokenizer,
                        "\" does, which may not be how the model was trained"));
  if (!metadata.has("tokenizer.ggml.token_type"))
    notes.emplace_back("tokenizer.ggml.token_type is missing: tokens are told to be special by their spelling alone");
  if (!metadata.has("tokenizer.chat_template"))
    notes.emplace_back("tokenizer.chat_template is missing: the model takes raw text alone (chat: false, --raw)");
}

}  // namespace

nlohmann::ordered_json gguf_facts(const llm::Checkpoint& checkpoint, std::vector<std::string>& notes) {
  const llm::GgufFile file = llm::GgufFile::open(checkpoint.source());
  const llm::GgufMetadata& metadata = file.metadata();
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const auto& [key, value] : metadata.values()) values[key] = metadata.describe(key);
  note_doubts(metadata, notes);
  return {{"tensor_types", tensor_types_of(checkpoint)}, {"metadata", values}};
}

}  // namespace kvmesh::cli
