// What right answers cost an agent behind its prompt.

#include <ATen/ATen.h>

#include "agents/turns/turn_batch.hpp"
#include "base/error.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;
using Catch::Matchers::Contains;

namespace {

const llm::Host& tiny() {
  static const llm::Host host = llm::Host::load(tiny_model(), {.dtype = "fp32"});
  return host;
}

constexpr const char* kPrompt = "Yusuf is at the Louvre. Yusuf is in";

bus::Task task(const std::vector<std::string>& targets) {
  return {.request = "r",
          .prompt = {{.text = kPrompt, .from = ""}},
          .chat = false,
          .generate = true,
          .max_tokens = 8,
          .targets = targets};
}

struct Taken {
  bus::Result result;
  std::string error;
  std::vector<std::vector<OwnedBytes>> published;
};

Taken take(bus::Task task, const Wiring& wiring = {}) {
  Taken taken;
  TurnBatch batch(tiny(), "solver", [&](const TurnAnswer& answer) {
    if (const auto* result = std::get_if<bus::Result>(&answer)) taken.result = *result;
    else taken.error = std::get<bus::TaskError>(answer).reason;
  });
  Turn turn{.task = std::move(task), .inbox = {}, .kv = nullptr, .received_at = {}, .complete_at = {}, .deadline = {}};
  batch.begin(std::move(turn), wiring, {.publish = [&](std::size_t, const wire::UnsealedMessage& message) {
                taken.published.push_back(message.sealed());
              }});
  while (batch.size() > 0) batch.step();
  return taken;
}

/// What `text` costs behind the prompt, in one run over both.
double nats_in_one_run(const std::string& text) {
  const llm::Model& model = tiny().model();
  std::vector<std::int64_t> ids = tiny().tokenizer().encode(kPrompt, true);
  const auto first = static_cast<std::int64_t>(ids.size());
  for (const std::int64_t id : tiny().tokenizer().encode(text, false)) ids.push_back(id);
  llm::KvCache cache = model.make_cache(1);
  const at::Tensor logits =
      model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll}, cache).logits;
  const at::Tensor log_softmax = logits.to(at::kDouble).log_softmax(-1);
  double nats = 0;
  for (auto i = first; i < static_cast<std::int64_t>(ids.size()); ++i)
    nats -= log_softmax[i - 1][ids[static_cast<std::size_t>(i)]].item<double>();
  return nats;
}

}  // namespace

TEST_CASE("a turn says what the best spelling of the best right answer costs behind its prompt") {
  double least = 1e9;
  for (const char* text :
       {"france", " france", "France", " France", "the French Republic", " the French Republic", "The French Republic"})
    least = std::min(least, nats_in_one_run(text));
  const Taken taken = take(task({"france", "France", "the French Republic"}));
  REQUIRE(taken.result.target_nats);
  CHECK(*taken.result.target_nats == Approx(least).margin(1e-4));
}

TEST_CASE("a turn that is asked for no answer says what a right one costs all the same") {
  bus::Task silent = task({"France"});
  silent.generate = false;
  const Taken taken = take(silent);
  CHECK_FALSE(taken.result.answer);
  CHECK(taken.result.target_nats == take(task({"France"})).result.target_nats);
}

TEST_CASE("without right answers there are no nats") { CHECK_FALSE(take(task({})).result.target_nats); }

TEST_CASE("right answers change nothing else: neither what is said nor what is shared, tokens and operations neither") {
  wire::EdgeSpec edge;
  edge.from = "solver";
  edge.to = "judge";
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  edge.share = wire::Share::kPromptAndOutput;
  const Wiring wiring{.mesh = "m",
                      .inbound = {},
                      .outbound = {{edge, llm::manifest_of(tiny().model().config()), true, {}}}};
  const Taken with = take(task({"a long answer that goes on well behind what may be generated here"}), wiring);
  const Taken without = take(task({}), wiring);
  REQUIRE(with.result.target_nats);
  CHECK(with.result.answer == without.result.answer);
  CHECK(with.result.flops == without.result.flops);
  CHECK(with.result.prefill_tokens == without.result.prefill_tokens);
  CHECK(with.result.generated_tokens == without.result.generated_tokens);
  REQUIRE(with.published.size() == without.published.size());
  for (std::size_t i = 0; i < with.published.size(); ++i)
    for (std::size_t frame = 0; frame < with.published[i].size(); ++frame)
      CHECK(with.published[i][frame].text() == without.published[i][frame].text());
}

TEST_CASE(
    "a right answer of special tokens alone is refused with its text, one too long for the model with the numbers") {
  CHECK_THAT(take(task({"<|im_end|>"})).error, Contains("agent solver: the right answer \"<|im_end|>\" has no tokens"));
  std::string endless;
  for (int i = 0; i < 2100; ++i) endless += " one";
  CHECK_THAT(take(task({endless})).error, Contains("of a right answer") && Contains("positions"));
}
