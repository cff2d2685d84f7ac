#include "cli/token_ids.hpp"

#include <charconv>

#include "base/error.hpp"

namespace kvmesh::cli {

std::vector<std::int64_t> parse_token_ids(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at <= end) {
    std::int64_t id = 0;
    auto [stop, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0 || (stop != end && *stop != ','))
      fail_input(option, ": \"", std::string(at, end), "\" does not begin with a token id; give ids as 1,2,3");
    ids.push_back(id);
    at = stop + 1;
  }
  return ids;
}

}  // namespace kvmesh::cli
