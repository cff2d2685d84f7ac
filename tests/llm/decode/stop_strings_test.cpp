#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "llm/decode/stop_strings.hpp"

namespace kvmesh::test {
namespace {

using llm::StopStrings;

/// What is shown when `pieces` come one after the other.
std::string shown(const std::vector<std::string>& stop, const std::vector<std::string>& pieces) {
  StopStrings stops(stop);
  std::string text;
  for (const std::string& piece : pieces) text += stops.push(piece);
  return text + stops.finish();
}

TEST_CASE("text ends before a stop string, also one that spans pieces") {
  CHECK(shown({"STOP"}, {"go STOP on"}) == "go ");
  CHECK(shown({"STOP"}, {"go S", "T", "OP on", " and on"}) == "go ");
  CHECK(shown({"STOP"}, {"go ST", "ART"}) == "go START");
  CHECK(shown({}, {"a", "b"}) == "ab");
}

TEST_CASE("what may be the start of a stop string is held back until that is known") {
  StopStrings stops({"\n\n", "###"});
  CHECK(stops.push("a\n") == "a");
  CHECK(stops.push("b#") == "\nb");
  CHECK(stops.push("#") == "");
  CHECK(stops.push("c##") == "##c");
  CHECK_FALSE(stops.found());
  CHECK(stops.push("#d") == "");
  CHECK(stops.found());
  CHECK(stops.push("more") == "");
  CHECK(stops.finish() == "");
}

TEST_CASE("how text is cut into pieces changes nothing") {
  const std::vector<std::string> stop{"abcX", "bc", "aab", "ö!"};
  for (const std::string text : {"xabcX", "aaab", "zzaabcX", "öö!", "abab", "aö?bc", "ab"}) {
    const std::string whole = shown(stop, {text});
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      INFO(text << " cut at " << cut);
      CHECK(shown(stop, {text.substr(0, cut), text.substr(cut)}) == whole);
    }
  }
}

TEST_CASE("the stop string that is complete first counts") {
  CHECK(shown({"abcX", "bc"}, {"abcX"}) == "a");
  CHECK(shown({"bc", "abc"}, {"xabc"}) == "x");
}

/// The pieces with special tokens, which stand in brackets, between them.
std::string shown_around(const std::vector<std::string>& plain, const std::vector<std::string>& with_special,
                         const std::vector<std::string>& pieces) {
  StopStrings stops(plain, with_special);
  std::string text;
  for (const std::string& piece : pieces)
    text += piece.starts_with('[') ? stops.push_special(piece) : stops.push(piece);
  return text + stops.finish();
}

TEST_CASE("special tokens are not shown, and stop where a stop string names or spans them") {
  CHECK(shown_around({}, {"[end]"}, {"a", "[x]", "b", "[end]", "c"}) == "ab");
  CHECK(shown_around({}, {"done[end]"}, {"is do", "ne", "[end]", "c"}) == "is ");
  CHECK(shown_around({}, {"done[end]"}, {"done", "[x]", "[end]", "c"}) == "donec");
  CHECK(shown_around({}, {"[end]\nUser"}, {"a", "[end]", "\n", "User:", "c"}) == "a");
  CHECK(shown_around({}, {"[a][b]"}, {"1", "[a]", "[a]", "[b]", "2"}) == "1");
}

TEST_CASE("a stop string without special tokens is found in what is shown, whatever stands between") {
  CHECK(shown_around({"STOP"}, {}, {"go ST", "[x]", "OP", "on"}) == "go ");
  CHECK(shown_around({"x"}, {}, {"a", "[x]", "b"}) == "ab");
  CHECK(shown_around({"bc"}, {"[end]c"}, {"ab", "[end]", "c"}) == "a");
}

TEST_CASE("where a stop string begins is counted with special tokens") {
  StopStrings stops({}, {"b[end]"});
  for (const char* text : {"a", "b"}) stops.push(text);
  CHECK_FALSE(stops.found());
  stops.push_special("[x]");
  stops.push("b");
  stops.push_special("[end]");
  REQUIRE(stops.found());
  CHECK(stops.begin() == 5);
}

TEST_CASE("an empty stop string is refused") { CHECK_THROWS_AS(StopStrings({""}), Error); }

}  // namespace
}  // namespace kvmesh::test
