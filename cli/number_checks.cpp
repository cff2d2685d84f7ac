#include "cli/number_checks.hpp"

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh::cli {
namespace {

/// `text` whole as a T that `fits`.
template <class T, class Fits>
Check check_of(const std::string& wanted, Fits fits) {
  return {wanted, [wanted, fits](const std::string& text) {
            T value{};
            const char* end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            const bool good = read.ec == std::errc() && read.ptr == end && fits(value);
            return good ? std::string() : cat("\"", text, "\" is not ", wanted);
          }};
}

}  // namespace

Check whole_number(std::int64_t least, std::int64_t most) {
  return check_of<std::int64_t>(most == kIntMost ? cat("a whole number of at least ", least)
                                                 : cat("a whole number from ", least, " to ", most),
                                [=](std::int64_t value) { return value >= least && value <= most; });
}

Check number(double least, double most, bool above_least) {
  const bool open = most == std::numeric_limits<double>::max();
  const std::string wanted = !open         ? cat("a number from ", least, " to ", most)
                             : above_least ? cat("a number above ", least)
                                           : cat("a number of at least ", least);
  return check_of<double>(wanted, [=](double value) {
    return std::isfinite(value) && (above_least ? value > least : value >= least) && value <= most;
  });
}

Check seed() {
  return check_of<std::uint64_t>("a whole number from 0 to 18446744073709551615", [](std::uint64_t) { return true; });
}

Check thread_count() { return whole_number(0, 4096); }

}  // namespace kvmesh::cli
