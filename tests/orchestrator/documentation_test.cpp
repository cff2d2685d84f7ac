// docs/topology.md says what the tables in the code say.

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>

#include "kvcodec/wire/edge_options.hpp"
#include "orchestrator/detail/newer_keys.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;

namespace {

std::string document() {
  std::ifstream in(kvmesh::test::source_dir() / "docs/topology.md");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The rows of the table under `head`, the line of its columns' names.
std::string table(const std::string& head) {
  const std::string text = document();
  const auto begin = text.find(head);
  REQUIRE(begin != std::string::npos);
  return text.substr(begin, text.find("\n\n", begin) - begin);
}

}  // namespace

TEST_CASE("the document's table of edge options has every option, of its media, with its default") {
  std::map<std::string, std::pair<std::string, std::string>> documented, real;
  const std::string rows = table("| option | of | default | meaning |");
  const std::regex row(R"(\| `([a-z_.]+)` \| ([a-z, ]+) \| `?([^|`]+)`? \|)");
  for (std::sregex_iterator match(rows.begin(), rows.end(), row), end; match != end; ++match)
    documented[(*match)[1]] = {(*match)[2], (*match)[3]};
  for (const wire::EdgeOption& option : wire::edge_options()) {
    std::string media;
    for (const wire::Medium medium : option.media) media += (media.empty() ? "" : ", ") + wire::to_string(medium);
    const std::string value = wire::text_of(option, wire::EdgeSpec{}).value_or("{ratio: 0.3}");
    real[option.key] = {media, option.required ? "required" : value};
  }
  CHECK(documented == real);
}

TEST_CASE("the document's list of names set aside is the program's") {
  std::map<std::string, std::string> documented, real;
  const std::string rows = table("| kvmesh | keys |");
  const std::regex line(R"(\| (0\.\d+) \| (.*) \|)"), key("`([a-z_]+)`");
  for (std::sregex_iterator match(rows.begin(), rows.end(), line), end; match != end; ++match) {
    const std::string keys = (*match)[2];
    for (std::sregex_iterator one(keys.begin(), keys.end(), key); one != end; ++one)
      documented[(*one)[1]] = (*match)[1];
  }
  for (const auto& newer : orchestrator::detail::newer_keys()) real[std::string(newer.key)] = newer.version;
  CHECK(documented == real);
}
