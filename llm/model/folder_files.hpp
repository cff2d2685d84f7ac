#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

/// The files of a checkpoint folder, as errors name them.
namespace kvmesh::llm {

/// Whether the folder has an entry of that name, be it a link that leads nowhere: reading it says what is wrong.
bool is_there(const std::filesystem::path& path);

/// Throws Error{kFixInput} with the command that fetches the file where `beginning`, its first bytes, is that of a
/// git-LFS pointer: what a clone without git-lfs leaves in place of every large file.
void refuse_lfs_pointer(const std::filesystem::path& path, std::string_view beginning);

/// The whole file. Throws Error{kFixInput}: cannot be read, a git-LFS pointer.
std::string read_folder_file(const std::filesystem::path& path);

/// The JSON object that is the file. Throws Error{kFixInput} as read_folder_file() does, and with line and column where
/// it is not JSON.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace kvmesh::llm
