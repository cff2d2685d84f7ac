#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// "1,2,3" as numbers. Throws Error{kFixInput} that names `option` and quotes what is no id.
std::vector<std::int64_t> parse_token_ids(const std::string& option, const std::string& text);

}  // namespace kvmesh::cli
