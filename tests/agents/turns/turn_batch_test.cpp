// The turns of one agent, taken one by one and together.

#include "agents/turns/turn_batch.hpp"

#include <ATen/ATen.h>

#include <future>
#include <map>

#include "agents/turns/turn_thread.hpp"
#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "llm/decode/generate.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const llm::Host& tiny(const char* dtype = "fp32") {
  static std::map<std::string, std::shared_ptr<const llm::Host>> hosts;
  std::shared_ptr<const llm::Host>& host = hosts[dtype];
  if (!host) host = std::make_shared<const llm::Host>(llm::Host::load(tiny_model(), {.dtype = dtype}));
  return *host;
}

/// A turn that says at most `tokens` tokens behind `prompt`.
Turn turn(const std::string& request, const std::string& prompt, int tokens) {
  bus::Task task;
  task.request = request;
  task.prompt = {{.text = prompt, .from = ""}};
  task.chat = false;
  task.generate = true;
  task.max_tokens = tokens;
  return {.task = std::move(task), .inbox = {}, .kv = nullptr, .received_at = {}, .complete_at = {}, .deadline = {}};
}

Turn drawn(Turn turn, std::uint64_t seed) {
  turn.task.sampling = {.temperature = 0.9, .seed = seed};
  return turn;
}

/// Five turns that differ in prompt, length and sampling.
std::vector<Turn> some_turns() {
  return {turn("a", "Fatima lives in", 20), drawn(turn("b", "The key to the red box is", 12), 7),
          turn("c", "One two three four five six seven eight nine", 3), drawn(turn("d", "Who", 20), 8),
          turn("e", "Instruction: say it", 9)};
}

/// A batch and what its turns came to.
class Scene {
 public:
  explicit Scene(const llm::Host& host = tiny()) : batch(host, "solver", [this](TurnAnswer answer) { end(answer); }) {}

  void begin(Turn turn, Wiring wiring = {}) {
    const std::string request = turn.task.request;
    batch.begin(std::move(turn), std::move(wiring),
                {.publish = [this](std::size_t,
                                   const wire::UnsealedMessage& message) { published.push_back(message.sealed()); },
                 .cancelled = [this, request] { return request == cancelled; }});
  }
  void run_out() {
    while (batch.size() > 0) batch.step();
  }

  TurnBatch batch;
  std::string cancelled;
  std::vector<std::vector<OwnedBytes>> published;
  std::map<std::string, std::string> answers, errors;

 private:
  void end(const TurnAnswer& answer) {
    if (const auto* result = std::get_if<bus::Result>(&answer)) answers[result->request] = result->answer.value_or("");
    else errors[std::get<bus::TaskError>(answer).request] = std::get<bus::TaskError>(answer).reason;
  }
};

std::map<std::string, std::string> answers_one_by_one(const llm::Host& host) {
  Scene scene(host);
  for (Turn& turn : some_turns()) {
    scene.begin(std::move(turn));
    scene.run_out();
  }
  return scene.answers;
}

}  // namespace

TEST_CASE("turns that are taken together answer as each does alone, whoever joins and leaves meanwhile") {
  for (const char* dtype : {"fp32", "bf16"}) {
    Scene scene(tiny(dtype));
    std::size_t most = 0;
    for (Turn& turn : some_turns()) {
      scene.begin(std::move(turn));
      most = std::max(most, scene.batch.size());
      scene.batch.step();
    }
    CHECK(most >= 3);
    scene.run_out();
    CHECK(scene.errors.empty());
    CHECK(scene.answers.size() == 5);
    CHECK(scene.answers == answers_one_by_one(tiny(dtype)));
  }
}

TEST_CASE("a turn that is cancelled in the middle leaves, the others say what they would have said") {
  Scene scene;
  for (Turn& turn : some_turns()) scene.begin(std::move(turn));
  scene.batch.step();
  scene.cancelled = "a";
  scene.batch.step();
  CHECK(scene.errors == std::map<std::string, std::string>{{"a", "agent solver: the request was cancelled"}});
  scene.run_out();
  std::map<std::string, std::string> expected = answers_one_by_one(tiny());
  expected.erase("a");
  CHECK(scene.answers == expected);
}

TEST_CASE("a turn that cannot be taken fails alone, with the agent's name") {
  Scene scene;
  scene.begin(turn("good", "Fatima lives in", 6));
  scene.begin(turn("long", "Fatima lives in", 1'000'000));
  Turn mad = turn("mad", "Who", 6);
  mad.task.sampling.top_p = -1;
  scene.begin(std::move(mad));
  Turn late = turn("late", "Who", 6);
  late.deadline = Deadline::at(Turn::Clock::now());
  scene.begin(std::move(late));
  scene.run_out();
  CHECK(scene.answers.size() == 1);
  CHECK(scene.answers.contains("good"));
  CHECK_THAT(scene.errors["long"], Contains("agent solver") && Contains("max_position_embeddings"));
  CHECK_THAT(scene.errors["mad"], Contains("agent solver") && Contains("top_p"));
  CHECK_THAT(scene.errors["late"], Contains("agent solver: the deadline passed"));
}

TEST_CASE("what shares its output shares no row behind what the text says, where a stop string ended it") {
  const llm::Host& host = tiny();
  const std::vector<std::int64_t> prompt = host.tokenizer().encode("Fatima lives in", true);
  llm::KvCache cache = host.model().make_cache(64);
  const auto read = host.model().forward({.embeddings = host.model().embed(prompt)}, cache);
  const auto tokens = llm::generate(host.model(), cache, read.logits, {.max_tokens = 12});
  const auto text = [&](std::size_t count) { return host.tokenizer().decode(std::span(tokens).first(count), true); };
  // Stop in the middle of the text: at what the sixth token adds, wherever that stands first.
  const std::string stop = text(6).substr(text(5).size());
  std::size_t said = 0;
  while (text(said + 1).size() <= text(6).find(stop)) ++said;

  wire::EdgeSpec edge;
  edge.from = "solver";
  edge.to = "judge";
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  edge.share = wire::Share::kPromptAndOutput;
  Turn stopped = turn("r", "Fatima lives in", 12);
  stopped.task.stop = {stop};
  Scene scene;
  scene.begin(std::move(stopped),
              {.mesh = "m", .inbound = {}, .outbound = {{edge, llm::manifest_of(host.model().config()), true, {}}}});
  scene.run_out();
  REQUIRE(scene.errors.empty());
  CHECK(scene.answers["r"] == text(6).substr(0, text(6).find(stop)));
  std::int64_t rows = 0;
  for (const auto& frames : scene.published) {
    const wire::WireMessage message = wire::decode_message(frames);
    if (message.envelope.layer == 3) rows += message.envelope.context_end - message.envelope.context_start;
  }
  CHECK(rows == static_cast<std::int64_t>(prompt.size() + said));
}

namespace {

/// A thread that takes turns, and a place where their ends can be waited for.
class ThreadScene {
 public:
  ThreadScene()
      : thread(std::make_shared<const llm::Host>(llm::Host::load(tiny_model(), {.dtype = "fp32"})), "solver", 1,
               {.publish = [](std::size_t, const wire::UnsealedMessage&) {},
                .ended = [this](TurnAnswer answer) { end(std::move(answer)); }}) {}

  /// What the turn came to: the answer, or the error after "! ".
  std::string wait_for(const std::string& request) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 20s, [&] { return ends_.contains(request); })) return "(nothing within 20 s)";
    return ends_[request];
  }

 private:
  void end(TurnAnswer answer) {
    const std::lock_guard lock(mutex_);
    if (const auto* result = std::get_if<bus::Result>(&answer)) ends_[result->request] = *result->answer;
    else ends_[std::get<bus::TaskError>(answer).request] = "! " + std::get<bus::TaskError>(answer).reason;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> ends_;

 public:
  TurnThread thread;
};

}  // namespace

TEST_CASE("turns that are given to a thread at once all end, with the answers that they have alone") {
  ThreadScene scene;
  for (Turn& turn : some_turns()) scene.thread.take(std::move(turn), {});
  for (const auto& [request, answer] : answers_one_by_one(tiny())) CHECK(scene.wait_for(request) == answer);
}

TEST_CASE("a turn whose rows are still coming does not hold up one that is being decoded") {
  ThreadScene scene;
  const llm::Model& model = tiny().model();
  wire::EdgeSpec edge;
  edge.from = "reader";
  edge.to = "solver";
  const Wiring wiring{.mesh = "m", .inbound = {{edge, llm::manifest_of(model.config())}}, .outbound = {}};
  Turn waiting = turn("waiting", "Who", 4);
  waiting.inbox.resize(1);
  waiting.kv = std::make_shared<KvArrivals>(model, wiring);
  const std::shared_ptr<KvArrivals> rows = waiting.kv;
  scene.thread.take(turn("busy", "Fatima lives in", 30), {});
  scene.thread.take(std::move(waiting), wiring);
  CHECK_THAT(scene.wait_for("busy"), !Contains("(nothing"));
  rows->fail(Error(ErrorKind::kRetry, "they never came"));
  CHECK(scene.wait_for("waiting") == "! agent solver: they never came");
}
