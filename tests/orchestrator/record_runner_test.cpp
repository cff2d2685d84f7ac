#include "orchestrator/record_runner.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using nlohmann::json;

namespace {

/// A mesh that answers at once and writes down what passes: "c:a" a calibrating record a, "a" a record, "!" scores.
class Scene {
 public:
  explicit Scene(const std::string& edge, const std::string& more = "")
      : topology_(folder_.parse(pair(edge) + more)),
        runner_(topology_, /*samples=*/2, std::chrono::seconds(1),
                {.run = [this](const RecordTasks& tasks) { return run(tasks); },
                 .install = [this](const bus::EdgeScores&) { passed += "! "; },
                 .log = [](const std::string&) {}}) {}

  RecordOutcome take(const std::string& id, std::uint64_t index) {
    return runner_.run({{"id", id}, {"context", "c"}, {"question", "q"}}, index);
  }
  RecordRunner& runner() { return runner_; }

  std::string passed;
  bool calibration_fails = false;

 private:
  RecordOutcome run(const RecordTasks& tasks) {
    const bool calibrate = tasks.tasks.at("solver").calibrate;
    passed += (calibrate ? "c:" : "") + tasks.id + " ";
    RecordOutcome outcome{.id = tasks.id};
    if (calibrate) outcome.scores = {{"reader", "solver", {0.5, 0.25}}};
    if (calibrate && calibration_fails) outcome.error = "too long";
    return outcome;
  }

  Folder folder_;
  Topology topology_;
  RecordRunner runner_;
};

}  // namespace

TEST_CASE("without a calibration file the first record is measured on, and answered once") {
  Scene scene("medium: kv, layers: {ratio: 0.3}");
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
  Scene scene("medium: kv, layers: {top: 1}");
  scene.runner().set_scores({{"reader", "solver", {1, 2}}});
  scene.take("a", 0);
  CHECK(scene.passed == "! a ");
}

TEST_CASE("recalibrate: {every: n} measures on every n-th record, before it is answered") {
  Scene scene("medium: kv, layers: {ratio: 0.3}, recalibrate: {every: 2}");
  for (const char* id : {"a", "b", "c", "d"}) scene.take(id, static_cast<std::uint64_t>(*id - 'a'));
  CHECK(scene.passed == "c:a ! a c:b ! b c c:d ! d ");
}

TEST_CASE("a record that cannot be measured on fails with that reason, and the next is measured on instead") {
  Scene scene("medium: kv, layers: {ratio: 0.3}");
  scene.calibration_fails = true;
  CHECK(scene.take("a", 0).error == "calibration: too long");
  scene.calibration_fails = false;
  CHECK_FALSE(scene.take("b", 1).error);
  CHECK(scene.passed == "c:a c:b ! b ");
}
