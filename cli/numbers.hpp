#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// "1,2,3", each a `what` ("token id", "layer") from 0 to `most`. Throws Error{kFixInput} that names `option` and
/// quotes what is none.
std::vector<std::int64_t> parse_numbers(const std::string& option, const std::string& what, const std::string& text,
                                        std::int64_t most);

}  // namespace kvmesh::cli
