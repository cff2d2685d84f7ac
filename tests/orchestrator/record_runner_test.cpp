#include "orchestrator/record_runner.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

/// A mesh that answers the last record it was given first, and writes down what passes: "c:a" a calibrating record a,
/// "a" a record, "!" scores, ">a" the outcome of a.
class Scene {
 public:
  explicit Scene(const std::string& edge, const std::string& more = "")
      : topology_(folder_.parse(pair(edge) + more)),
        runner_(topology_, /*samples=*/2, std::chrono::seconds(1),
                {.submit = [this](const RecordTasks& tasks) { submit(tasks); },
                 .wait = [this] { return wait(); },
                 .install = [this](const bus::EdgeScores&) { passed += "! "; },
                 .log = [this](const std::string& text) { logged += text + "\n"; }}) {}

  RecordOutcome take(const std::string& id, std::uint64_t index, const std::vector<std::string>& wanted = {}) {
    return runner_.run({{"id", id}, {"context", "c"}, {"question", "q"}}, index, wanted);
  }
  void take_all(const std::string& ids, std::size_t in_flight) {
    std::vector<json> records;
    for (const char id : ids) records.push_back({{"id", std::string(1, id)}, {"context", "c"}, {"question", "q"}});
    runner_.run_all(records, in_flight, [this](const RecordOutcome& outcome) {
      passed += ">" + outcome.id + " ";
      if (outcome.id == report_fails_at) throw std::runtime_error("the disk is full");
    });
  }
  RecordRunner& runner() { return runner_; }

  std::string passed, logged;
  std::map<std::string, std::vector<std::string>> targets;  ///< that each agent was last given
  std::vector<bus::Task> calibrating;                       ///< the solver's
  bool finds_layers = true;                                 ///< where a search is asked for
  bool calibration_fails = false;
  std::string report_fails_at;
  std::string fails_at;  ///< the mesh fails when it is waited for and this record is on its way

 private:
  void submit(const RecordTasks& tasks) {
    const bool calibrate = tasks.tasks.at("solver").calibrate;
    passed += (calibrate ? "c:" : "") + tasks.id + " ";
    for (const auto& [agent, task] : tasks.tasks) targets[agent] = task.targets;
    RecordOutcome outcome{.id = tasks.id, .request = tasks.request};
    if (calibrate) {
      const bus::Task& task = calibrating.emplace_back(tasks.tasks.at("solver"));
      outcome.scores = {{"reader", "solver", {0.5, 0.25}}};
      if (!task.search.empty() && task.sample + 1 == task.samples && finds_layers)
        outcome.scores[0].path = {{{}, 9}, {{1}, 1}, {{0, 1}, 1}};
    }
    if (calibrate && calibration_fails) outcome.error = "too long";
    running_.push_back(outcome);
  }
  RecordOutcome wait() {
    for (const RecordOutcome& one : running_)
      if (one.id == fails_at) throw Error(ErrorKind::kReconnect, "agent solver is gone");
    RecordOutcome last = running_.back();
    running_.pop_back();
    return last;
  }

  std::vector<RecordOutcome> running_;

  Folder folder_;
  Topology topology_;
  RecordRunner runner_;
};

}  // namespace

TEST_CASE("without a calibration file the first record is measured on, and answered once") {
  Scene scene("medium: kv, layers: {ratio: 0.3, by: attention}");
  scene.take("a", 0);
  scene.take("b", 1);
  CHECK(scene.passed == "c:a ! a b ");
}

TEST_CASE("layers that need no scores are never measured") {
  Scene scene("medium: kv, layers: all");
  scene.take("a", 0);
  CHECK(scene.passed == "a ");
}

TEST_CASE("scores that were given are not measured") {
  Scene scene("medium: kv, layers: {top: 1, by: attention}");
  scene.runner().set_scores({{"reader", "solver", {1, 2}}});
  scene.take("a", 0);
  CHECK(scene.passed == "! a ");
}

TEST_CASE("by loss the first record's tasks ask for a search, towards its right answer") {
  Scene scene("medium: kv, layers: {ratio: 0.5}");
  scene.runner().run({{"id", "a"}, {"context", "c"}, {"question", "q"}, {"answers", {"Paris", "paris"}}}, 0);
  CHECK(scene.passed == "c:a ! a ");
  const bus::Task& task = scene.calibrating.at(0);
  CHECK(task.search == std::vector<std::string>{"reader"});
  CHECK(task.targets == std::vector<std::string>{"Paris"});
  CHECK((task.sample == 0 && task.samples == 1 && !task.generate && task.deadline_ms == 0));
  CHECK_THAT(scene.logged, Contains("reader -> solver") && Contains("the record's answer") && Contains("12000 tokens"));
}

TEST_CASE("a record without an answer is searched by what the agent itself says, in at most twelve tokens") {
  Scene scene("medium: kv, layers: {ratio: 0.5}");
  scene.take("a", 0);
  CHECK((scene.calibrating.at(0).targets.empty() && scene.calibrating[0].generate));
  CHECK(scene.calibrating[0].max_tokens == 12);
  CHECK_THAT(scene.logged, Contains("what solver itself says"));
}

TEST_CASE("several records of one search say which they are") {
  Scene scene("medium: kv, layers: {ratio: 0.5}");
  std::vector<json> records;
  for (const char* id : {"a", "b", "c"}) records.push_back({{"id", id}, {"context", "c"}, {"question", "q"}});
  const auto scores = scene.runner().calibrate(records);
  REQUIRE(scene.calibrating.size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(scene.calibrating[static_cast<std::size_t>(i)].sample == i);
    CHECK(scene.calibrating[static_cast<std::size_t>(i)].samples == 3);
  }
  CHECK(scores.at(0).path.size() == 3);
  CHECK(scores[0].scores == std::vector<double>{0.5, 0.25});
}

TEST_CASE("an agent that names no layers where a search was asked for is named") {
  Scene scene("medium: kv, layers: {ratio: 0.5}");
  scene.finds_layers = false;
  CHECK_THROWS_WITH(scene.take("a", 0), Contains("agent solver") && Contains("same kvmesh"));
}

TEST_CASE("recalibrate searches by loss a bounded number of times, and says which is the last") {
  Scene scene("medium: kv, layers: {ratio: 0.5}, recalibrate: {every: 1}");
  for (std::uint64_t i = 0; i < 40; ++i) scene.take("a", i);
  CHECK(scene.calibrating.size() == 1 + kMostSearchesAnew);
  CHECK_THAT(scene.logged, Contains("for the last time"));
}

TEST_CASE("by attention no search is asked for") {
  Scene scene("medium: kv, layers: {ratio: 0.5, by: attention}");
  scene.take("a", 0);
  CHECK(scene.calibrating.at(0).search.empty());
}

TEST_CASE("recalibrate: {every: n} measures on every n-th record, before it is answered") {
  Scene scene("medium: kv, layers: {ratio: 0.3, by: attention}, recalibrate: {every: 2}");
  for (const char* id : {"a", "b", "c", "d"}) scene.take(id, static_cast<std::uint64_t>(*id - 'a'));
  CHECK(scene.passed == "c:a ! a c:b ! b c c:d ! d ");
}

TEST_CASE("a record that cannot be measured on fails with that reason, and the next is measured on instead") {
  Scene scene("medium: kv, layers: {ratio: 0.3, by: attention}");
  scene.calibration_fails = true;
  CHECK(scene.take("a", 0).error == "calibration: too long");
  scene.calibration_fails = false;
  CHECK_FALSE(scene.take("b", 1).error);
  CHECK(scene.passed == "c:a c:b ! b ");
}

TEST_CASE("as many records as allowed are on their way, and outcomes are reported in the order of the records") {
  Scene scene("medium: kv, layers: all");
  scene.take_all("abcd", 3);
  CHECK(scene.passed == "a b c d >a >b >c >d ");
}

TEST_CASE("with one record at a time each is reported before the next begins") {
  Scene scene("medium: kv, layers: all");
  scene.take_all("abc", 1);
  CHECK(scene.passed == "a >a b >b c >c ");
}

TEST_CASE("nothing is on its way while an edge is measured") {
  Scene scene("medium: kv, layers: {ratio: 0.3, by: attention}, recalibrate: {every: 4}");
  scene.take_all("abcde", 3);
  CHECK(scene.passed == "c:a ! a b c >a >b >c c:d ! d e >d >e ");
}

TEST_CASE("a record that cannot be measured on is reported in its place") {
  Scene scene("medium: kv, layers: {ratio: 0.3, by: attention}");
  scene.calibration_fails = true;
  scene.take_all("ab", 2);
  CHECK(scene.passed == "c:a >a c:b >b ");
}

TEST_CASE("what was done before the mesh failed is reported") {
  Scene scene("medium: kv, layers: all");
  scene.fails_at = "d";
  CHECK_THROWS_WITH(scene.take_all("abcd", 3), "agent solver is gone");
  CHECK(scene.passed == "a b c d >c ");
}

TEST_CASE("whoever cannot hear of an outcome hears of no other, and its own failure comes out") {
  Scene scene("medium: kv, layers: all");
  scene.report_fails_at = "a";
  CHECK_THROWS_WITH(scene.take_all("abcd", 3), "the disk is full");
  CHECK(scene.passed == "a b c d >a ");
}

TEST_CASE("a report that fails while the mesh's failure is on its way comes out in its place") {
  Scene scene("medium: kv, layers: all");
  scene.fails_at = "d";
  scene.report_fails_at = "c";
  CHECK_THROWS_WITH(scene.take_all("abcd", 3), "the disk is full");
}

TEST_CASE("right answers go to the agent whose output is asked for and to no other, those of white space to nobody") {
  Scene scene("medium: kv, layers: all");
  scene.take("a", 0, {"Paris", " \n", "", "the city of Paris"});
  CHECK(scene.targets["solver"] == std::vector<std::string>{"Paris", "the city of Paris"});
  CHECK(scene.targets["reader"].empty());
  scene.take("b", 1);
  CHECK(scene.targets["solver"].empty());
}
