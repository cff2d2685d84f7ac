#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// "1,2,3", each a `what` ("token id", "layer"). Throws Error{kFixInput} that names `option` and quotes what is none.
std::vector<std::int64_t> parse_numbers(const std::string& option, const std::string& what, const std::string& text);

}  // namespace kvmesh::cli
