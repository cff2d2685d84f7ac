#pragma once

#include <chrono>
#include <string>

namespace kvmesh::cli {

/// "2025-07-10", "2025-07-10T12:00:00Z", "2025-07-10 14:00+02:00" or seconds since 1970; UTC where no offset stands.
/// Throws Error{kFixInput} for anything else.
std::chrono::system_clock::time_point time_from_text(const std::string& text);

}  // namespace kvmesh::cli
