#include "llm/text/tokenizer/json_file.hpp"

#include "kvcodec/wire/json_text.hpp"
#include "llm/model/folder_files.hpp"

namespace kvmesh::llm {

JsonFile::JsonFile(const std::filesystem::path& path) : path_(path.string()) {
  const std::string bytes = read_folder_file(path);
  // transformers writes 1e30 as a whole number where a length has no bound ("model_max_length"). We do not read it.
  document_ = wire::parse_json(bytes, {.file = path_}, {.big_numbers_as_text = true});
}

}  // namespace kvmesh::llm
