#include "cli/evaluation/summary.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "cli/evaluation/report.hpp"

using namespace kvmesh::cli;
using Catch::Matchers::Contains;

namespace {

/// A method's items of task "t" with these nats; below zero: the item failed.
MethodResult method(const std::string& name, const std::vector<double>& nats) {
  MethodResult result{.method = name, .items = {}};
  for (const double one : nats) {
    ItemResult item{.id = "i", .task = "t"};
    if (one < 0) item.error = "too long";
    else item.answer_nats = one;
    result.items.push_back(item);
  }
  return result;
}

std::optional<double> carried_by(const std::string& name, const std::vector<MethodResult>& results) {
  for (const SummaryRow& row : summarise(results))
    if (row.method == name && row.task == kAllTasks) return row.carried;
  return {};
}

}  // namespace

TEST_CASE("carried is the share of the skyline's gain in mean nats: the ratio of means, not the mean of ratios") {
  const std::vector<MethodResult> results = {method("baseline", {10, 4}), method("skyline", {2, 0}),
                                             method("kv:0.3", {4, 3})};
  CHECK(carried_by("kv:0.3", results).value() == Approx((7.0 - 3.5) / (7.0 - 1.0)));
  CHECK(carried_by("baseline", results) == 0.0);
  CHECK(carried_by("skyline", results) == 1.0);
}

TEST_CASE("an item that fails with a method, or with baseline or skyline, takes no part in what that method carries") {
  const std::vector<MethodResult> results = {method("baseline", {10, 4, -1}), method("skyline", {2, 0, 0}),
                                             method("kv:0.3", {4, -1, 5})};
  CHECK(carried_by("kv:0.3", results).value() == Approx((10.0 - 4) / (10 - 2)));
  for (const SummaryRow& row : summarise(results))
    if (row.method == "kv:0.3") CHECK(row.answer_nats->mean == Approx(4.5));
}

TEST_CASE("where the skyline gains less than 0.1 nats nothing is carried, and it says so with the task") {
  const std::vector<MethodResult> results = {method("baseline", {1, 1}), method("skyline", {0.95, 0.95}),
                                             method("kv:0.3", {0.5, 0.5})};
  CHECK_FALSE(carried_by("kv:0.3", results));
  const std::vector<std::string> why = why_not_carried(results, summarise(results));
  REQUIRE(why.size() == 1);
  CHECK_THAT(why.front(), Contains("task t, all") && Contains("less than 0.1 nats"));
}

TEST_CASE("results without baseline or skyline carry nothing, and what to do is said") {
  const std::vector<MethodResult> results = {method("baseline", {1}), method("kv:0.3", {0.5})};
  CHECK_FALSE(carried_by("kv:0.3", results));
  CHECK_THAT(why_not_carried(results, summarise(results)).at(0), Contains("put both among --methods"));
  const std::vector<MethodResult> whole = {method("baseline", {1}), method("skyline", {0.5})};
  CHECK(why_not_carried(whole, summarise(whole)).empty());
}

TEST_CASE("what there is none of is null in JSON, nothing in CSV and a dash in the table") {
  const std::vector<SummaryRow> rows = summarise({method("kv:0.3", {-1})});
  std::ostringstream json, csv, table;
  print_json(rows, json);
  print_csv(rows, csv);
  print_tables(rows, table);
  CHECK_THAT(json.str(), Contains("\"answer_nats\":null") && Contains("\"carried\":null"));
  CHECK_THAT(csv.str(), Contains("answer_nats,answer_nats_low,answer_nats_high,carried,layers") && Contains(",,,,,"));
  CHECK_THAT(table.str(), Contains("carried"));
}
