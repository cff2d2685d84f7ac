#include "llm/model/folder_files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "kvcodec/wire/json_text.hpp"

namespace kvmesh::llm {

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

void refuse_lfs_pointer(const std::filesystem::path& path, std::string_view beginning) {
  if (!beginning.starts_with("version https://git-lfs.github.com/spec/")) return;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  fail_input(path.string(), ": is a git-LFS pointer, not the file itself; run `git lfs pull` in ", folder.string());
}

std::string read_folder_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail_input(path.string(), ": is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) fail_input(path.string(), ": cannot be opened: ", std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  refuse_lfs_pointer(path, text);
  return text;
}

nlohmann::json read_json_object(const std::filesystem::path& path) {
  const std::string text = read_folder_file(path);
  nlohmann::json json = wire::parse_json(text, {.file = path.string()});
  if (!json.is_object()) fail_input(path.string(), ": holds ", json.type_name(), ", where a JSON object is expected");
  return json;
}

}  // namespace kvmesh::llm
