#pragma once

#include <filesystem>
#include <string>

namespace kvmesh {

/// Why `path` cannot be read as a file, or listed as a folder: "is not there", "is a folder", "is no folder", "cannot
/// be read (Too many levels of symbolic links)". Empty: it can, as far as can be told without opening it.
std::string why_not_file(const std::filesystem::path& path);
std::string why_not_folder(const std::filesystem::path& path);

/// All of a file. Throws Error{kFixInput}, "WHAT PATH is not there; FIX".
std::string read_text(const std::filesystem::path& path, const std::string& what, const std::string& fix);

}  // namespace kvmesh
