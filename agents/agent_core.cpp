#include "agents/agent_core.hpp"

#include <utility>
#include <variant>

#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

ReceiveOptions with_model(ReceiveOptions options, const llm::Host& host) {
  options.model = &host.model();
  return options;
}

std::optional<KeptPrompts> kept_prompts(std::size_t bytes) {
  return bytes > 0 ? std::optional<KeptPrompts>(std::in_place, bytes) : std::nullopt;
}

}  // namespace

AgentCore::AgentCore(std::shared_ptr<const llm::Host> host, Wiring wiring, Options options, Hooks hooks)
    : host_(std::move(host)),
      name_(std::move(options.name)),
      hooks_(std::move(hooks)),
      agent_(std::move(wiring), with_model(std::move(options.receive), *host_)),
      kept_prompts_(kept_prompts(options.keep_prompt_bytes)),
      samples_(options.receive.waiting_bytes),
      turns_(host_, name_, options.threads, turn_hooks()) {}

AgentCore::~AgentCore() { stop_waiting(); }

TurnThread::Hooks AgentCore::turn_hooks() {
  return {.publish = hooks_.publish,
          .reuse = hooks_.reuse,
          .prompts = kept_prompts_ ? &*kept_prompts_ : nullptr,
          .samples = &samples_,
          .progress =
              [this](const bus::Progress& progress) { hooks_.post([this, progress] { hooks_.progress(progress); }); },
          .ended =
              [this](TurnAnswer answer) { hooks_.post([this, answer = std::move(answer)] { on_turn_end(answer); }); }};
}

void AgentCore::on_task(bus::Task task) { act(0, agent_.on_task(std::move(task), Clock::now())); }

void AgentCore::on_message(std::size_t edge, const std::vector<OwnedBytes>& frames) {
  act(edge, agent_.on_message(edge, frames, Clock::now()));
}

void AgentCore::on_damage(std::size_t edge, const Error& error) { act(edge, agent_.on_damage(edge, error)); }

void AgentCore::on_renewed(std::size_t edge) { act(edge, agent_.on_renewed(edge)); }

void AgentCore::on_offer(std::size_t edge, const wire::Offer& offer) {
  const wire::Held held = agent_.on_offer(edge, offer);
  if (!offer.blocks.empty()) hooks_.send_back(edge, held);
}

void AgentCore::on_scores(const bus::EdgeScores& scores) { agent_.on_scores(scores); }

void AgentCore::on_cancel(const std::string& request) { agent_.on_cancel(request); }

void AgentCore::on_time(Clock::time_point now) {
  for (const Agent::Failure& failure : agent_.expire(now)) report(failure);
}

void AgentCore::stop_waiting() { agent_.fail_all(Error(ErrorKind::kGiveUp, "the agent is leaving")); }

/// What a message led to goes back over `edge`, which it came over.
void AgentCore::act(std::size_t edge, Agent::Outcome outcome) {
  for (const wire::Back& back : outcome.back) hooks_.send_back(edge, back);
  if (outcome.turn) turns_.take(std::move(*outcome.turn), agent_.wiring());
  for (const Agent::Failure& failure : outcome.failures) report(failure);
}

void AgentCore::report(const Agent::Failure& failure) {
  if (failure.turn_tells) return;
  hooks_.answer(bus::TaskError{failure.request, failure.kind, cat("agent ", name_, ": ", failure.reason)});
}

void AgentCore::on_turn_end(const TurnAnswer& answer) {
  agent_.on_turn_end(std::visit([](const auto& one) { return one.request; }, answer));
  hooks_.answer(answer);
}

}  // namespace kvmesh::agents
