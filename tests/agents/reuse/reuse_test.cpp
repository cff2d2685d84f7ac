// Only what is new travels, and only what is new is computed: a sender and its receivers over several requests.

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "agents/agent.hpp"
#include "agents/reuse/block_offers.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/sent_kv.hpp"
#include "agents/turns/turn_batch.hpp"
#include "base/error.hpp"
#include "llm/model/flops.hpp"
#include "tests/support/dense_reference.hpp"
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

/// Some text of `sentences` sentences, the same beginning each time.
std::string story(int sentences, const std::string& who = "Fatima") {
  std::string text;
  for (int i = 0; i < sentences; ++i)
    text += cat(who, " put box ", i, " beside the ", i % 3 == 0 ? "red" : "green", " key. ");
  return text;
}

wire::EdgeSpec edge_to(const std::string& receiver, wire::WireDtype dtype = wire::WireDtype::kSame) {
  wire::EdgeSpec spec;
  spec.from = "reader";
  spec.to = receiver;
  spec.layers.kind = wire::LayerChoice::Kind::kExplicit;
  spec.layers.layers = {1, 2, 5};
  spec.wire = dtype;
  return spec;
}

/// The same of single KV heads.
wire::EdgeSpec heads_to(const std::string& receiver, std::vector<wire::HeadsOfLayer> heads,
                        wire::WireDtype dtype = wire::WireDtype::kSame) {
  wire::EdgeSpec spec = edge_to(receiver, dtype);
  spec.layers = {.kind = wire::LayerChoice::Kind::kHeads, .layers = {}, .heads = std::move(heads)};
  return spec;
}

constexpr std::size_t kPlenty = std::size_t{1} << 28;

/// A receiver, without the sockets.
class Receiver {
 public:
  Receiver(const llm::Host& host, const wire::EdgeSpec& edge, std::size_t keep_bytes)
      : host_(host),
        wiring_{.mesh = "test", .inbound = {{edge, llm::manifest_of(host.model().config())}}, .outbound = {}} {
    start(keep_bytes);
  }

  std::vector<wire::Back> hear(const std::vector<OwnedBytes>& frames) {
    const Agent::Outcome outcome = agent->on_message(0, frames, Agent::Clock::now());
    if (!outcome.failures.empty()) failure = outcome.failures.front().reason;
    return outcome.back;
  }

  /// Logits of a question behind what came; the request is over then.
  at::Tensor ask(const std::string& request) {
    bus::Task task;
    task.request = request;
    const Agent::Outcome outcome = agent->on_task(task, Agent::Clock::now());
    REQUIRE(outcome.turn.has_value());
    const std::shared_ptr<KvArrivals> arrivals = outcome.turn->kv;
    const std::vector<std::int64_t> ids{5, 17, 3, 40};
    llm::ForwardInput input{.embeddings = host_.model().embed(ids), .logits = llm::LogitRows::kAll};
    input.before_layer = [&](int layer) { arrivals->wait_for(layer, Deadline::after(0ms)); };
    at::Tensor logits = host_.model().forward(input, arrivals->cache()).logits;
    agent->on_turn_end(request);
    return logits;
  }

  /// It comes back and has nothing.
  void restart() { start(kPlenty); }

  std::optional<Agent> agent;
  std::string failure;

 private:
  void start(std::size_t keep_bytes) {
    agent.emplace(wiring_,
                  ReceiveOptions{.model = &host_.model(), .room = nullptr, .borrows = {}, .keep_bytes = keep_bytes});
  }

  const llm::Host& host_;
  const Wiring wiring_;
};

/// A reader and those that it shares with, over several requests.
class Scene {
 public:
  struct Options {
    std::string dtype = "fp32";
    std::vector<wire::EdgeSpec> edges{edge_to("solver")};
    std::size_t keep_bytes = kPlenty;
    bool keeps_prompts = false;
    std::set<std::size_t> deaf = {};  ///< edges whose receiver is a plain SUB peer: it answers nothing
  };

  explicit Scene(Options options)
      : options_(std::move(options)),
        host_(tiny(options_.dtype.c_str())),
        prompts_(kPlenty),
        batch_(host_, "reader", [this](TurnAnswer answer) {
          if (auto* result = std::get_if<bus::Result>(&answer)) results[result->request] = *result;
          else errors[std::get<bus::TaskError>(answer).request] = std::get<bus::TaskError>(answer).reason;
        }) {
    for (const wire::EdgeSpec& edge : options_.edges) {
      receivers.push_back(std::make_unique<Receiver>(host_, edge, options_.keep_bytes));
      wiring_.outbound.push_back({edge, llm::manifest_of(host_.model().config()), true, {}});
    }
  }
  Scene() : Scene(Options{}) {}

  /// The reader reads `prompt`; bytes on each edge. `max_tokens`: it says something too.
  void read(const std::string& request, const std::string& prompt, int max_tokens = 0) {
    Turn turn{.task = {}, .inbox = {}, .kv = nullptr, .received_at = {}, .complete_at = {}, .deadline = {}};
    turn.task.request = request;
    turn.task.prompt = {{.text = prompt, .from = ""}};
    turn.task.chat = false;
    turn.task.generate = max_tokens > 0;
    turn.task.max_tokens = max_tokens;
    TurnHooks hooks;
    hooks.publish = [this](std::size_t edge, const wire::UnsealedMessage& message) { deliver(edge, message.sealed()); };
    hooks.reuse = {.offer = [this](std::size_t edge, const wire::Offer& offer) -> std::size_t {
                     if (options_.deaf.contains(edge)) return 0;
                     held_[edge] = receivers[edge]->agent->on_offer(0, offer);
                     if (after_offer) after_offer();
                     return 100;
                   },
                   .held = [this](std::size_t edge, const std::string&) { return held_[edge].blocks; },
                   .sent = [this](std::size_t edge, const std::string& id, std::uint32_t sequence, std::size_t bytes,
                                  SentKv::Make make) { sent.sent(edge, id, sequence, bytes, std::move(make)); }};
    if (options_.keeps_prompts) hooks.prompts = &prompts_;
    batch_.begin(std::move(turn), wiring_, std::move(hooks));
    while (batch_.size() > 0) batch_.step();
  }
  std::uint64_t bytes(const std::string& request, std::size_t edge = 0) const {
    return results.at(request).edges.at(edge).bytes;
  }
  std::int64_t tokens(const std::string& prompt) const {
    return static_cast<std::int64_t>(host_.tokenizer().encode(prompt, true).size());
  }

  std::vector<std::unique_ptr<Receiver>> receivers;
  std::map<std::string, bus::Result> results;
  std::map<std::string, std::string> errors;
  SentKv sent{kPlenty};
  std::function<void()> after_offer;
  std::function<void(std::vector<OwnedBytes>& frames)> on_the_way;  ///< changes a message
  int asked_again = 0;

  /// What was asked for again leaves.
  void answer_again() {
    for (const auto& [edge, again] : std::exchange(late_, {})) deliver(edge, sent.find(edge, again)().sealed());
  }

 private:
  void deliver(std::size_t edge, std::vector<OwnedBytes> frames) {
    if (on_the_way) on_the_way(frames);
    for (const wire::Back& back : receivers[edge]->hear(frames)) {
      if (const auto* done = std::get_if<wire::Done>(&back)) sent.done(edge, done->request);
      const auto* again = std::get_if<wire::Again>(&back);
      if (!again) continue;
      ++asked_again;
      late_.emplace_back(edge, *again);
    }
  }

  const Options options_;
  const llm::Host& host_;
  Wiring wiring_{.mesh = "test", .inbound = {}, .outbound = {}};
  KeptPrompts prompts_;
  std::map<std::size_t, wire::Held> held_;
  std::vector<std::pair<std::size_t, wire::Again>> late_;
  TurnBatch batch_;
};

/// Logits behind `prompt` where nothing was ever kept.
at::Tensor fresh(const Scene::Options& like, const std::string& prompt) {
  Scene::Options options = like;
  options.keep_bytes = 0;
  options.keeps_prompts = false;
  Scene scene(options);
  scene.read("r", prompt);
  return scene.receivers[0]->ask("r");
}

}  // namespace

TEST_CASE("the second turn of a conversation sends what is new, and the receiver's logits are those of all of it") {
  for (const std::string dtype : {"fp32", "bf16"}) {
    Scene::Options options;
    options.dtype = dtype;
    Scene scene(options);
    const std::string first = story(20), second = first + story(6, "Omar");
    scene.read("r0", first);
    scene.receivers[0]->ask("r0");
    scene.read("r1", second);
    const double new_share = 1 - static_cast<double>(scene.tokens(first) / 64 * 64) / scene.tokens(second);
    Scene whole(options);
    whole.read("r", second);
    CHECK(scene.bytes("r1") < (new_share + 0.1) * whole.bytes("r"));
    // The rows that were kept are those of a shorter prefill, whose products a BLAS may sum in another order.
    CHECK(distance(scene.receivers[0]->ask("r1"), fresh(options, second)) < (options.dtype == "fp32" ? 1e-4 : 0.05));
  }
}

TEST_CASE("the same prompt again sends its last tokens only") {
  Scene scene;
  scene.read("r0", story(20));
  scene.receivers[0]->ask("r0");
  scene.read("r1", story(20));
  CHECK(scene.bytes("r1") < scene.bytes("r0") / 5);
  CHECK(distance(scene.receivers[0]->ask("r1"), fresh({}, story(20))) == 0);
}

TEST_CASE("on quantising edges the same bits arrive, reused or not") {
  for (const auto dtype : {wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    Scene::Options options;
    options.dtype = "bf16";
    options.edges = {edge_to("solver", dtype)};
    Scene scene(options);
    scene.read("r0", story(15));
    scene.receivers[0]->ask("r0");
    const std::string second = story(15) + story(9, "Omar");
    scene.read("r1", second);
    CHECK(scene.bytes("r1") < scene.bytes("r0"));
    CHECK(distance(scene.receivers[0]->ask("r1"), fresh(options, second)) == 0);
  }
}

TEST_CASE("of single heads too only what is new travels, and the same bits arrive, reused or not") {
  for (const auto dtype : {wire::WireDtype::kSame, wire::WireDtype::kInt4}) {
    Scene::Options options;
    options.dtype = "bf16";
    options.edges = {heads_to("solver", {{1, {0}}, {2, {}}, {5, {1}}}, dtype)};
    Scene scene(options);
    scene.read("r0", story(15));
    scene.receivers[0]->ask("r0");
    const std::string second = story(15) + story(9, "Omar");
    scene.read("r1", second);
    CHECK(scene.bytes("r1") < scene.bytes("r0"));
    CHECK(distance(scene.receivers[0]->ask("r1"), fresh(options, second)) == 0);
  }
}

TEST_CASE("receivers of different heads of one sender are each sent their own") {
  Scene::Options options;
  options.edges = {heads_to("solver", {{1, {0}}, {5, {1}}}), heads_to("second", {{1, {1}}, {5, {1}}}),
                   edge_to("third")};
  Scene scene(options);
  scene.read("r0", story(8));
  for (std::size_t i = 0; i < options.edges.size(); ++i) {
    Scene::Options alone;
    alone.edges = {options.edges[i]};
    CHECK(distance(scene.receivers[i]->ask("r0"), fresh(alone, story(8))) == 0);
  }
}

TEST_CASE("of two receivers the one that holds the beginning is sent the rest, the other everything") {
  Scene::Options options;
  options.edges = {edge_to("solver"), edge_to("second")};
  Scene scene(options);
  scene.read("r0", story(20));
  for (auto& receiver : scene.receivers) receiver->ask("r0");
  scene.receivers[1]->restart();
  const std::string second = story(20) + story(5, "Omar");
  scene.read("r1", second);
  CHECK(scene.bytes("r1", 0) < scene.bytes("r1", 1) / 2);
  const at::Tensor expected = fresh({}, second);
  for (auto& receiver : scene.receivers) CHECK(distance(receiver->ask("r1"), expected) == 0);
}

TEST_CASE("a receiver that answers nothing is sent everything, and nothing is remembered for it") {
  Scene::Options options;
  options.deaf = {0};
  Scene scene(options);
  scene.read("r0", story(20));
  scene.receivers[0]->ask("r0");
  scene.read("r1", story(20));
  CHECK(scene.bytes("r1") == scene.bytes("r0"));
  CHECK_FALSE(scene.sent.find(0, {"r1", 0}));
  CHECK(distance(scene.receivers[0]->ask("r1"), fresh({}, story(20))) == 0);
}

TEST_CASE("a receiver without room for all keeps what fits, and its logits stay right") {
  Scene small({.keep_bytes = 60'000});
  std::string prompt = story(10);
  for (int turn = 0; turn < 4; ++turn) {
    const std::string request = cat("r", turn);
    small.read(request, prompt);
    CHECK(small.receivers[0]->agent->kept_bytes() <= 60'000);
    CHECK(distance(small.receivers[0]->ask(request), fresh({}, prompt)) == 0);
    prompt += story(5, cat("Omar", turn));
  }
}

TEST_CASE("once all has come the sender remembers nothing of the request") {
  Scene scene;
  scene.read("r0", story(8));
  CHECK_FALSE(scene.sent.find(0, {"r0", 0}));
}

TEST_CASE("rows that are gone although they were promised are asked for again, and come") {
  Scene scene;
  scene.read("r0", story(20));
  scene.receivers[0]->ask("r0");
  const std::string second = story(20) + story(5, "Omar");
  scene.after_offer = [&] {  // a restart between the answer and the rows, which knows of the offer and of nothing else
    scene.receivers[0]->restart();
    scene.receivers[0]->agent->on_offer(0, {"r1", {}});
  };
  scene.read("r1", second);
  CHECK(scene.asked_again == 1);  // what comes behind waits: one question at a time
  while (scene.asked_again < 20) {
    const int before = scene.asked_again;
    scene.answer_again();
    if (scene.asked_again == before) break;
  }
  CHECK(scene.asked_again > 1);  // each layer referred to them
  CHECK(distance(scene.receivers[0]->ask("r1"), fresh({}, second)) == 0);
}

TEST_CASE("a message that is damaged on its way is asked for again, and damaged again it fails the request") {
  const auto damage = [](std::vector<OwnedBytes>& frames) {
    std::string bytes(frames.at(1).text());
    bytes[3] = static_cast<char>(bytes[3] ^ 1);
    frames[1] = OwnedBytes::from_string(bytes);
  };
  Scene scene;
  int message = 0;
  scene.on_the_way = [&](std::vector<OwnedBytes>& frames) {
    if (message++ == 1) damage(frames);
  };
  scene.read("r0", story(20));
  CHECK(scene.asked_again == 1);
  scene.answer_again();
  CHECK(distance(scene.receivers[0]->ask("r0"), fresh({}, story(20))) == 0);

  message = 0;
  scene.read("r1", story(20, "Omar"));
  scene.on_the_way = damage;
  CHECK(scene.receivers[0]->failure.empty());
  scene.answer_again();
  CHECK_THAT(scene.receivers[0]->failure, Contains("reader -> solver") && Contains("message 1") &&
                                              Contains("damaged") && Contains("asked for again"));
}

TEST_CASE("a reader computes from where its prompt parts from an earlier one, and shares all of it") {
  Scene::Options options;
  options.keeps_prompts = true;
  options.deaf = {0};
  Scene scene(options);
  scene.read("r0", story(20));
  scene.receivers[0]->ask("r0");
  const std::string second = story(20) + story(5, "Omar");
  scene.read("r1", second);
  CHECK(scene.results["r0"].prefill_tokens == static_cast<std::uint64_t>(scene.tokens(story(20))));
  CHECK(scene.results["r1"].prefill_tokens < static_cast<std::uint64_t>(scene.tokens(second) / 3));
  CHECK(scene.results["r1"].flops < scene.results["r0"].flops);
  // What is computed behind kept rows takes other sums in another order: with AVX2 the two lie 2e-4 apart, and
  // each 1.1e-3 from double precision. Kept rows must come as near to it as fresh ones do, which says more than a bar
  // between them.
  const at::Tensor exact =
      DenseReference(tiny_model()).logits(tiny().tokenizer().encode(second, true), {5, 17, 3, 40}, {1, 2, 5});
  const double kept_error = distance(scene.receivers[0]->ask("r1").to(at::kDouble), exact);
  const double fresh_error = distance(fresh({}, second).to(at::kDouble), exact);
  INFO("kept " << kept_error << ", fresh " << fresh_error);
  CHECK(fresh_error < 5e-3);
  CHECK(kept_error < 2 * fresh_error);
}

TEST_CASE("a reader that only shares its prompt computes no logits, and of the last layer keys and values alone") {
  Scene scene;
  scene.read("r0", story(20));
  const llm::ModelConfig& config = tiny().model().config();
  const std::vector<std::int64_t> nothing_before(static_cast<std::size_t>(config.num_hidden_layers), 0);
  CHECK(scene.results["r0"].flops ==
        llm::forward_flops(config, scene.tokens(story(20)), nothing_before, /*logit_rows=*/0));
}

TEST_CASE("a conversation goes on behind what was said, with the same words as without keeping anything") {
  const auto talk = [](bool keeps) {
    Scene::Options options;
    options.keeps_prompts = keeps;
    Scene scene(options);
    std::string prompt = story(8);
    std::vector<std::string> said;
    for (int turn = 0; turn < 3; ++turn) {
      const std::string request = cat("r", turn);
      scene.read(request, prompt, /*max_tokens=*/12);
      scene.receivers[0]->ask(request);
      said.push_back(*scene.results[request].answer);
      prompt += said.back() + " Who put box 3 beside the key? ";
    }
    return said;
  };
  CHECK(talk(true) == talk(false));
}

TEST_CASE("a kept prompt that the new one contains makes room, and the budget is kept") {
  const llm::Model& model = tiny().model();
  const auto cache_of = [&](const std::vector<std::int64_t>& ids) {
    auto cache = std::make_shared<llm::KvCache>(model.make_cache(static_cast<std::int64_t>(ids.size())));
    model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kNone}, *cache);
    return cache;
  };
  std::vector<std::int64_t> ids(40, 7), longer(60, 7), other(50, 9);
  KeptPrompts all(kPlenty);
  all.keep(ids, cache_of(ids));
  const std::size_t one = all.bytes();
  all.keep(longer, cache_of(longer));
  CHECK(all.bytes() == one * 60 / 40);

  KeptPrompts small(one * 60 / 40);
  small.keep(longer, cache_of(longer));
  small.keep(other, cache_of(other));
  CHECK(small.bytes() <= one * 60 / 40);
  llm::KvCache fresh_cache = model.make_cache(1);
  CHECK(small.begin(longer, 100, fresh_cache) == 0);
  CHECK(small.begin(other, 100, fresh_cache) == 49);  // the last token is left to compute
  CHECK(fresh_cache.layer(3).next_position == 49);
}

TEST_CASE("an answer is there when it is asked for late, behind others") {
  BlockOffers offers;
  offers.offered(0, "r0");
  offers.answered(0, {"r0", {3}});
  for (std::size_t i = 1; i < BlockOffers::kMostOffers; ++i) offers.offered(0, cat("r", i));
  CHECK(offers.held(0, "r0") == std::vector<std::int64_t>{3});
}

TEST_CASE("a message of a request that was never offered passes, and damaged it is refused") {
  Scene scene;
  std::vector<std::vector<OwnedBytes>> messages;
  scene.on_the_way = [&](std::vector<OwnedBytes>& frames) { messages.push_back(frames); };
  scene.read("r0", story(10));
  Receiver stranger(tiny(), edge_to("solver"), kPlenty);
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) CHECK(stranger.hear(messages[i]).empty());
  CHECK(stranger.failure.empty());
  CHECK(stranger.hear(messages.back()).empty());
  CHECK(distance(stranger.ask("r0"), fresh({}, story(10))) == 0);

  Receiver other(tiny(), edge_to("solver"), kPlenty);
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) other.hear(messages[i]);
  std::vector<OwnedBytes> last = messages.back();
  last.at(1) = OwnedBytes::from_string(std::string(last[1].size(), 'x'));
  CHECK(other.hear(last).empty());
  CHECK_THAT(other.failure, Contains("damaged"));
}

TEST_CASE("what a sender remembers stays within its bytes, but for the request that is being sent") {
  SentKv sent(/*budget_bytes=*/100);
  const auto message = [] { return wire::UnsealedMessage{}; };
  sent.sent(0, "r0", 0, 60, message);
  sent.sent(0, "r0", 1, 40, message);
  CHECK(sent.find(0, {"r0", 1}));
  sent.sent(1, "r1", 0, 20, message);
  CHECK_FALSE(sent.find(0, {"r0", 0}));
  sent.sent(1, "r1", 1, 200, message);
  CHECK(sent.find(1, {"r1", 0}));  // its cache lives anyhow
  sent.sent(0, "r2", 0, 100, message);
  CHECK_FALSE(sent.find(1, {"r1", 0}));
  sent.done(0, "r2");
  sent.sent(0, "r3", 0, 50, message);
  sent.sent(0, "r4", 0, 50, message);
  CHECK(sent.find(0, {"r3", 0}));  // what was done takes no room
}

TEST_CASE("offers of more requests than may come before their tasks are answered with nothing") {
  Receiver receiver(tiny(), edge_to("solver"), kPlenty);
  for (std::size_t i = 0; i < Agent::kMaxEarlyRequests; ++i)
    CHECK(receiver.agent->on_offer(0, {cat("r", i), {{1, 2}}}).blocks.size() == 8);
  CHECK(receiver.agent->on_offer(0, {"one-more", {{1, 2}}}).blocks.empty());
  receiver.agent->on_cancel("r0");
  CHECK(receiver.agent->on_offer(0, {"r0", {{1, 2}}}).blocks.empty());  // it is over
  CHECK(receiver.agent->on_offer(0, {"one-more", {{1, 2}}}).blocks.size() == 8);
}

TEST_CASE("an answer that does not come in time means that everything is sent") {
  BlockOffers offers;
  CHECK(offers.held(0, "r0").empty());
  offers.offered(0, "r0");
  CHECK(offers.held(0, "r0").empty());
  offers.answered(0, {"r0", {1, 2}});
  CHECK(offers.held(0, "r0").empty());
  offers.offered(0, "r1");
  offers.answered(1, {"r1", {9, 9}});
  offers.answered(0, {"r1", {1, 2}});
  CHECK(offers.held(0, "r1") == std::vector<std::int64_t>{1, 2});
}
