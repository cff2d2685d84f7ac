#include "llm/text/tokenizer/other_formats.hpp"

#include <optional>
#include <string>
#include <system_error>

#include "base/error.hpp"
#include "llm/model/folder_files.hpp"

namespace kvmesh::llm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConvert = "let transformers 5 write it: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)";

std::optional<std::string> file_ending_with(const fs::path& folder, const std::string& ending) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(ending)) return name;
  }
  return std::nullopt;
}

}  // namespace

void fail_without_tokenizer_json(const fs::path& model_dir) {
  const std::string path = (model_dir / "tokenizer.json").string();
  const auto fail = [&](const std::string& found, const std::string& advice) {
    fail_input(path, ": is not there; the folder has ", found, ", which kvmesh does not read; ", advice);
  };
  const auto has = [&](const char* name) { return is_there(model_dir / name); };
  if (!fs::is_directory(model_dir)) {
    fail_input(model_dir.string(), ": is not a folder; name a checkpoint folder with a tokenizer.json");
  }
  if (has("tekken.json")) fail("Mistral's tekken.json", kConvert);
  if (const auto name = file_ending_with(model_dir, ".tiktoken")) {
    fail(cat("tiktoken's ", *name),
         "take the model's edition for transformers, which has a tokenizer.json, or convert it: "
         "transformers.integrations.tiktoken.convert_tiktoken_to_fast");
  }
  if (has("tokenizer.model")) fail("SentencePiece's tokenizer.model", kConvert);
  if (const auto name = file_ending_with(model_dir, ".model")) fail(cat("SentencePiece's ", *name), kConvert);
  if (has("vocab.json") && has("merges.txt")) fail("GPT-2's pair vocab.json and merges.txt", kConvert);
  if (has("vocab.txt")) fail("BERT's vocab.txt", "BERT is an encoder; kvmesh hosts models that generate text");
  fail_input(path,
             ": is not there, nor is any other tokenizer; copy tokenizer.json and tokenizer_config.json from where "
             "the weights come from");
}

}  // namespace kvmesh::llm
