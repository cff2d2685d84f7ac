#include "base/text_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh {
namespace {

std::filesystem::file_type type_of(const std::filesystem::path& path, std::string& why) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) why = "is not there";
  else if (error) why = cat("cannot be read (", error.message(), ")");
  return status.type();
}

}  // namespace

std::string why_not_file(const std::filesystem::path& path) {
  std::string why;
  if (type_of(path, why) == std::filesystem::file_type::directory) why = "is a folder";
  return why;
}

std::string why_not_folder(const std::filesystem::path& path) {
  std::string why;
  if (type_of(path, why) != std::filesystem::file_type::directory && why.empty()) why = "is no folder";
  return why;
}

std::string read_text(const std::filesystem::path& path, const std::string& what, const std::string& fix) {
  const std::string why = why_not_file(path);
  if (!why.empty()) fail_input(what, ' ', path.string(), ' ', why, "; ", fix);
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (in.bad() || !in.is_open())
    fail_input(what, ' ', path.string(), " cannot be read (", std::strerror(errno), "); ", fix);
  return text.str();
}

}  // namespace kvmesh
