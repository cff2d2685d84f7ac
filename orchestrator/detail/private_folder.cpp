#include "orchestrator/detail/private_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

/// Socket paths hold 107 bytes, agents' names and all: a long TMPDIR leaves too little.
std::string temporary_files() {
  constexpr std::size_t kLongest = 40;
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder == '/' && std::strlen(folder) <= kLongest ? folder : "/tmp";
}

}  // namespace

PrivateFolder::PrivateFolder() {
  std::string path = temporary_files() + "/kvmesh-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    throw Error(ErrorKind::kGiveUp, cat("cannot make a folder as ", path, ": ", std::strerror(errno)));
  }
  path_ = path;
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;  // nothing is left to be done about it
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace kvmesh::orchestrator::detail
