#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "llm/text/chat_template.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/places.hpp"

namespace kvmesh::test {
namespace {

using llm::ChatTemplate;

/// The clock of tests/golden/jinja/make.py: 2025-07-10 12:00:00.123456 UTC.
const auto kClock = std::chrono::system_clock::from_time_t(1752148800) + std::chrono::microseconds(123456);

/// The text, or none where the template ends in an error.
std::optional<std::string> result(const std::string& source, const Json& variables) {
  try {
    return ChatTemplate::parse(source, {}).render(variables, kClock);
  } catch (const Error&) {
    return std::nullopt;
  }
}

TEST_CASE("templates give what Jinja gives in transformers' environment") {
  const Json golden = Json::parse(read_text(source_dir() / "tests" / "golden" / "jinja" / "cases.json"));
  REQUIRE(golden["cases"].size() > 1000);
  for (const Json& one : golden["cases"]) {
    const std::optional<std::string> expected =
        one.size() == 2 ? std::optional(one[1].get<std::string>()) : std::nullopt;
    const std::optional<std::string> got = result(one[0].get<std::string>(), golden["variables"]);
    if (got == expected) continue;
    FAIL_CHECK(one[0] << "\ngives    " << got.value_or("an error") << "\nin Jinja " << expected.value_or("an error"));
  }
}

}  // namespace
}  // namespace kvmesh::test
