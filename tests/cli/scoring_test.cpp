#include "cli/evaluation/scoring.hpp"

#include <catch2/catch.hpp>

using namespace kvmesh::cli;

TEST_CASE("answers are normalised as SQuAD does: case, punctuation, articles, white space") {
  CHECK(normalise_answer("The  Eiffel Tower, in a City!") == "eiffel tower in city");
  CHECK(score_answer("the Cedar Energy.", {"Cedar Energy"}).exact_match == 1);
}

TEST_CASE("token F1 counts bags of tokens, the boolean sets of them") {
  const AnswerScore score = score_answer("red red blue", {"red green"});
  CHECK(score.f1 == Approx(2 * (1.0 / 3) * (1.0 / 2) / (1.0 / 3 + 1.0 / 2)));
  CHECK(score.f1_above_half == 0);
  CHECK(score_answer("red red", {"red"}).f1_above_half == 1);
}

TEST_CASE("the best of several accepted answers counts") {
  CHECK(score_answer("Paris", {"London", "paris"}).exact_match == 1);
}

TEST_CASE("an answer contains an accepted one where its normalised text is somewhere in its own") {
  CHECK(score_answer("It was written by the Beatles, in 1967.", {"Beatles"}).contains == 1);
  CHECK(score_answer("It was written by Rush.", {"The Beatles", "rush"}).contains == 1);
  CHECK(score_answer("Rush", {"Rush and others"}).contains == 0);
  CHECK(score_answer("Rush", {"the"}).contains == 0);
  CHECK(score_answer("", {"a"}).contains == 1);
}

TEST_CASE("an empty answer scores nothing against a text") {
  const AnswerScore score = score_answer("", {"Paris"});
  CHECK(score.exact_match == 0);
  CHECK(score.f1 == 0);
  CHECK(score.contains == 0);
}

TEST_CASE("the bootstrap interval holds the mean, is the same every time and closes on a constant") {
  const Interval interval = bootstrap({0, 1, 1, 0, 1, 1, 1, 0});
  CHECK(interval.mean == Approx(0.625));
  CHECK(interval.low < interval.mean);
  CHECK(interval.high > interval.mean);
  CHECK(bootstrap({0, 1, 1, 0, 1, 1, 1, 0}).low == interval.low);
  CHECK(bootstrap({1, 1, 1}).low == 1);
}

TEST_CASE("percentiles interpolate between neighbours") {
  CHECK(percentile({4, 1, 3, 2}, 50) == Approx(2.5));
  CHECK(percentile({1, 2, 3}, 100) == 3);
  CHECK(percentile({}, 50) == 0);
}
