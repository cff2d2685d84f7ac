#include "agents/process/running.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

#include "agents/publish.hpp"
#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

std::optional<KeptPrompts> kept_prompts(std::size_t bytes) {
  return bytes > 0 ? std::optional<KeptPrompts>(std::in_place, bytes) : std::nullopt;
}

}  // namespace

Running::Running(Surroundings around, Joined joined)
    : around_(std::move(around)),
      joined_(std::move(joined)),
      agent_(joined_.wiring),
      kv_(joined_.host->model(), agent_, {joined_.keep_bytes, joined_.borrows, room_for_caches()}),
      kept_prompts_(kept_prompts(joined_.keep_bytes)),
      offering_(around_.node, [this](std::function<void()> work) { apart(std::move(work)); }),
      resender_(std::make_unique<boost::asio::thread_pool>(1)),
      turn_thread_(joined_.host, around_.name, joined_.threads, hooks()) {
  for (std::size_t edge = 0; edge < joined_.outbound_topics.size(); ++edge)
    offering_.add_edge(joined_.outbound_topics[edge],
                       offer_topic(joined_.wiring.mesh, joined_.wiring.outbound[edge].spec));
  for (const std::string& topic : joined_.subscribed) offering_.on_subscription(topic, /*open=*/true);
}

Running::~Running() {
  stop_waiting();
  resender_->join();
}

void Running::stop_waiting() { kv_.fail_all(Error(ErrorKind::kGiveUp, "the agent is leaving")); }

TurnThread::Hooks Running::hooks() {
  return {.publish =
              [this](std::size_t edge, wire::UnsealedMessage message) {
                publish(around_.node, joined_.outbound_topics[edge], std::move(message));
              },
          .reuse = offering_.hooks(),
          .prompts = kept_prompts_ ? &*kept_prompts_ : nullptr,
          .ended =
              [this](TurnAnswer answer) { around_.post([this, answer = std::move(answer)] { on_turn_end(answer); }); }};
}

/// None where no edge shares memory: caches stand where rows leave from without a copy.
MakeRoom Running::room_for_caches() {
  if (!joined_.shares_memory) return nullptr;
  return [this](std::size_t bytes) {
    const std::shared_ptr<std::byte> place = around_.node.take_shared_memory(bytes);
    return WritableBytes{place, place.get()};
  };
}

/// What may have to wait for room on the bus, which the loop must not.
void Running::apart(std::function<void()> work) {
  boost::asio::post(*resender_, [this, work = std::move(work)] {
    try {
      work();
    } catch (const Error& error) {
      around_.post([error] { throw Error(error.kind(), error.what()); });
    } catch (const std::exception& error) {  // of libtorch, say: on this thread it would end the process unheard
      around_.post([error = Error(ErrorKind::kGiveUp, error.what())] { throw Error(error.kind(), error.what()); });
    }
  });
}

void Running::on(bus::Task& task) { act(agent_.on_task(std::move(task), Agent::Clock::now())); }

void Running::on(const bus::Cancel& cancel) {
  agent_.on_cancel(cancel.request);
  turn_thread_.cancel(cancel.request);
  offering_.forget(cancel.request);
  kv_.fail(cancel.request, Error(ErrorKind::kRetry, "the request was cancelled"));
}

void Running::on(const bus::Scores& scores) { agent_.on_scores(scores.edge); }

void Running::on(const bus::Delivered& delivered) {
  if (const auto edge = joined_.offers_by_topic.find(delivered.topic); edge != joined_.offers_by_topic.end())
    return answer_offer(edge->second, delivered);
  const auto edge = joined_.inbound_by_topic.find(delivered.topic);
  if (edge == joined_.inbound_by_topic.end()) return;
  if (!delivered.problem.empty())
    return act(agent_.on_damage(edge->second, Error(ErrorKind::kReconnect, delivered.problem)));
  const wire::EdgeSpec& spec = agent_.wiring().inbound[edge->second].spec;
  if (spec.medium != wire::Medium::kKv)
    return act(agent_.on_message(edge->second, delivered.message, Agent::Clock::now()));
  KvReceiver::Outcome outcome = kv_.on_message(edge->second, delivered.message, Agent::Clock::now());
  for (const wire::Back& back : outcome.back)
    around_.node.send_back(offer_topic(joined_.wiring.mesh, spec), wire::encode_back(back));
  act({.turn = std::move(outcome.turn), .failures = std::move(outcome.failures)});
}

void Running::on(const bus::ConnectionRenewed& renewed) {
  const auto edge = joined_.inbound_by_topic.find(renewed.topic);
  if (edge != joined_.inbound_by_topic.end()) act(agent_.on_renewed(edge->second));
}

void Running::on(const bus::CameBack& back) {
  try {
    if (const auto failure = offering_.on_back(back)) report(*failure);
  } catch (const Error& error) {
    spdlog::warn("agent {}: {} on {}", around_.name, error.what(), back.topic);
  }
}

void Running::on_subscription(const std::string& topic, bool open) { offering_.on_subscription(topic, open); }

std::optional<std::string> Running::receiver_on(const std::string& topic) const {
  for (std::size_t edge = 0; edge < joined_.outbound_topics.size(); ++edge) {
    const wire::EdgeSpec& spec = joined_.wiring.outbound[edge].spec;
    if (topic == joined_.outbound_topics[edge] || topic == offer_topic(joined_.wiring.mesh, spec)) return spec.to;
  }
  return std::nullopt;
}

/// An offer that cannot be read is not answered; its sender then sends everything.
void Running::answer_offer(std::size_t edge, const bus::Delivered& delivered) {
  try {
    const wire::Offer offer = wire::decode_offer(delivered.message);
    const wire::Held held = kv_.on_offer(edge, offer);
    if (!offer.blocks.empty()) around_.node.send_back(delivered.topic, wire::encode_back(held));
  } catch (const Error& error) {
    spdlog::warn("agent {}: {} on {}", around_.name, error.what(), delivered.topic);
  }
}

void Running::on_time(Agent::Clock::time_point now) {
  for (const Agent::Failure& failure : agent_.expire(now)) on_failure(failure);
}

void Running::report(const Agent::Failure& failure) {
  around_.send(bus::TaskError{failure.request, failure.kind, cat("agent ", around_.name, ": ", failure.reason)});
}

void Running::act(Agent::Outcome outcome) {
  if (outcome.turn) begin(std::move(*outcome.turn));
  for (const Agent::Failure& failure : outcome.failures) on_failure(failure);
}

/// A turn that is being taken reports its end itself.
void Running::on_failure(const Agent::Failure& failure) {
  if (!kv_.fail(failure.request, Error(failure.kind, failure.reason))) report(failure);
}

void Running::begin(Turn turn) {
  turn.kv = kv_.begin(turn.task.request);
  turn_thread_.take(std::move(turn), agent_.wiring());
}

void Running::on_turn_end(const TurnAnswer& answer) {
  const std::string& request = std::visit([](const auto& one) -> const std::string& { return one.request; }, answer);
  agent_.on_turn_end(request);
  kv_.on_turn_end(request);
  std::visit([this](const auto& message) { around_.send(message); }, answer);
}

}  // namespace kvmesh::agents
