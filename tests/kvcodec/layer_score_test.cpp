#include "kvcodec/layer_score.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>

#include "tests/kvcodec/wire_fixture.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::layer_scores;
using kvcodec::rank_layers;

TEST_CASE("layer scores are those of the golden rankings") {
  std::ifstream file(source_dir() / "tests/golden/ranking.json");
  REQUIRE(file);
  const nlohmann::json cases = nlohmann::json::parse(file).at("ranking");
  REQUIRE(cases.size() == 16);
  for (const auto& golden : cases) {
    const auto importances = golden.at("importance").get<std::vector<double>>();
    const auto wanted = golden.at("score").get<std::vector<double>>();
    const auto scores = layer_scores(importances, golden.at("alpha"), golden.at("mu"), golden.at("sigma"));
    REQUIRE(scores.size() == wanted.size());
    for (std::size_t i = 0; i < scores.size(); ++i) CHECK(scores[i] == Approx(wanted[i]).margin(1e-6).epsilon(0));
  }
}

TEST_CASE("a model of one layer, or of none, has scores without a division by zero") {
  CHECK(layer_scores(std::vector<double>{0.7}, 0.5, 0.5, 10) == std::vector<double>{0.0});
  CHECK(layer_scores({}, 0.5, 0.5, 10).empty());
}

TEST_CASE("equal scores rank the lower layer first") {
  CHECK(rank_layers(std::vector<double>{0.2, 0.9, 0.2, 0.9, 1.0}) == std::vector<int>{4, 1, 3, 0, 2});
}

TEST_CASE("parameters that make no score are refused with their value") {
  const std::vector<double> importances{0.1, 0.2};
  CHECK_THAT(error_of([&] { layer_scores(importances, 1.5, 0.5, 10); }), holds("alpha is 1.5"));
  CHECK_THAT(error_of([&] { layer_scores(importances, 1, -0.5, 10); }), holds("mu is -0.5"));
  CHECK_THAT(error_of([&] { layer_scores(importances, 1, 0.5, 0); }), holds("sigma is 0"));
  const std::vector<double> broken{0.1, std::numeric_limits<double>::quiet_NaN()};
  CHECK_THAT(error_of([&] { layer_scores(broken, 1, 0.5, 10); }), holds("layer 1 is nan"));
}
