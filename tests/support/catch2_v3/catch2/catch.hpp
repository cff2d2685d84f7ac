#pragma once

// Catch2 3 under the header and the names of Catch2 2, which Debian 12 has. In the include path only where Catch2 3 is
// what was found.

#include <catch2/catch_all.hpp>
#include <concepts>
#include <string>
#include <utility>

namespace Catch {
namespace Matchers {

/// Catch2 3 calls this ContainsSubstring, and looks for an element where it is asked whether a text contains something.
template <typename Text>
requires std::convertible_to<Text, std::string>
auto Contains(Text&& part) { return ContainsSubstring(std::string(std::forward<Text>(part))); }

}  // namespace Matchers

using Matchers::Contains;
using Matchers::EndsWith;
using Matchers::StartsWith;

}  // namespace Catch

using Catch::Approx;
