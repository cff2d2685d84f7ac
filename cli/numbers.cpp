#include "cli/numbers.hpp"

#include <charconv>

#include "base/error.hpp"

namespace kvmesh::cli {

std::vector<std::int64_t> parse_numbers(const std::string& option, const std::string& what, const std::string& text,
                                        std::int64_t most) {
  std::vector<std::int64_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at <= end) {
    std::int64_t id = 0;
    auto [stop, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0 || (stop != end && *stop != ','))
      fail_input(option, ": \"", std::string(at, end), "\" does not begin with a ", what, "; write numbers as 1,2,3");
    if (id > most) fail_input(option, ": ", id, " is no ", what, "; write numbers from 0 to ", most);
    ids.push_back(id);
    at = stop + 1;
  }
  return ids;
}

}  // namespace kvmesh::cli
