#pragma once

#include <cstdint>
#include <limits>

#include "cli/arguments.hpp"

/// Checks of options that are numbers: every number of the command line has one, so that none is rounded, wrapped or
/// cut on its way into its type.
namespace kvmesh::cli {

inline constexpr std::int64_t kIntMost = std::numeric_limits<int>::max();

/// A whole number from `least` to `most`, in digits alone.
Check whole_number(std::int64_t least, std::int64_t most = kIntMost);
/// A number from `least` to `most`, neither infinite nor NaN; `above_least`: `least` itself is out.
Check number(double least, double most = std::numeric_limits<double>::max(), bool above_least = false);
/// A seed: a whole number from 0 to 2^64 - 1.
Check seed();
Check thread_count();

inline constexpr const char* kOwnThreadsHelp = "Compute threads; 0: one per core of this host";
inline constexpr const char* kThreadsHelp =
    "Compute threads of each agent; 0: divide this host's cores among the agents that run at the same time";

}  // namespace kvmesh::cli
