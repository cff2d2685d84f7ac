#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "orchestrator/liveness.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

TEST_CASE("a liveness is a whole number with its unit") {
  CHECK(parse_liveness("10s") == 10s);
  CHECK(parse_liveness("1500ms") == 1500ms);
  CHECK(parse_liveness("2m") == 2min);
  CHECK(parse_liveness("24h") == 24h);
  for (const char* wrong : {"10", "s", "", "1.5s", "-3s", "10 s", "10 parsecs", "99999999999999999999s"})
    CHECK_THROWS_WITH(parse_liveness(wrong), Contains(wrong) && Contains("10s"));
  CHECK_THROWS_WITH(parse_liveness("999ms"), Contains("liveness is 999 ms; take 1s to 24h"));
  CHECK_THROWS_WITH(parse_liveness("25h"), Contains("take 1s to 24h"));
  CHECK_THROWS_WITH(parse_liveness("4611686018427387904h"), Contains("take 1s to 24h"));
}

TEST_CASE("the topology says a liveness, and where what it says is wrong its line is named") {
  const Folder folder;
  CHECK_FALSE(folder.parse(pair()).liveness);
  CHECK(folder.parse(pair() + "liveness: 30s\n").liveness == 30s);
  CHECK_THAT(folder.complaint(pair() + "liveness: soon\n"), Contains("mesh.yaml:11") && Contains("\"soon\""));
}
