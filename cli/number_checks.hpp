#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/error.hpp"

namespace kvmesh::cli {

/// Checks of options that are numbers; CLI11's own print the ends of the type's range.
inline CLI::Validator above_zero() {
  const auto check = [](std::string& text) {
    double number = 0;
    const bool fits = CLI::detail::lexical_cast(text, number) && number > 0;
    return fits ? std::string() : cat("\"", text, "\" is not a number above 0");
  };
  return CLI::Validator(check, "above 0");
}

inline CLI::Validator zero_or_more() {
  const auto check = [](std::string& text) {
    double number = 0;
    const bool fits = CLI::detail::lexical_cast(text, number) && number >= 0;
    return fits ? std::string() : cat("\"", text, "\" is not a number from 0 on");
  };
  return CLI::Validator(check, "0 or more");
}

}  // namespace kvmesh::cli
