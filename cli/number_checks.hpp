#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "base/error.hpp"

/// Checks of options that are numbers: every number of the command line has one, so that none is rounded, wrapped or
/// cut on its way into its type.
namespace kvmesh::cli {

inline constexpr std::int64_t kIntMost = std::numeric_limits<int>::max();

/// A whole number from `least` to `most`, in digits alone.
inline CLI::Validator whole_number(std::int64_t least, std::int64_t most = kIntMost) {
  const std::string wanted =
      most == kIntMost ? cat("a whole number of at least ", least) : cat("a whole number from ", least, " to ", most);
  const auto check = [least, most, wanted](const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool fits = error == std::errc() && end == text.data() + text.size() && number >= least && number <= most;
    return fits ? std::string() : cat("\"", text, "\" is not ", wanted);
  };
  return CLI::Validator(check, wanted);
}

/// A number from `least` to `most`, neither infinite nor NaN; `above_least`: `least` itself is out.
inline CLI::Validator number(double least, double most = std::numeric_limits<double>::max(), bool above_least = false) {
  const bool open = most == std::numeric_limits<double>::max();
  const std::string wanted = !open         ? cat("a number from ", least, " to ", most)
                             : above_least ? cat("a number above ", least)
                                           : cat("a number of at least ", least);
  const auto check = [least, most, above_least, wanted](const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fits = error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
                      (above_least ? value > least : value >= least) && value <= most;
    return fits ? std::string() : cat("\"", text, "\" is not ", wanted);
  };
  return CLI::Validator(check, wanted);
}

/// A seed: a whole number from 0 to 2^64 - 1.
inline CLI::Validator seed() {
  const std::string wanted = "a whole number from 0 to 18446744073709551615";
  const auto check = [wanted](const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fits = error == std::errc() && end == text.data() + text.size();
    return fits ? std::string() : cat("\"", text, "\" is not ", wanted);
  };
  return CLI::Validator(check, wanted);
}

inline CLI::Validator thread_count() { return whole_number(0, 4096); }
inline constexpr const char* kOwnThreadsHelp = "Compute threads; 0: one per core of this host";
inline constexpr const char* kThreadsHelp =
    "Compute threads of each agent; 0: divide this host's cores among the agents that run at the same time";

}  // namespace kvmesh::cli
