#include "agents/process/running.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>
#include <variant>

#include "agents/process/log.hpp"
#include "agents/publish.hpp"
#include "base/error.hpp"

namespace kvmesh::agents {

Running::Running(Surroundings around, Joined joined)
    : around_(std::move(around)),
      joined_(std::move(joined)),
      offering_(around_.node, shares().sent, [this](std::function<void()> work) { apart(std::move(work)); }),
      resender_(std::make_unique<boost::asio::thread_pool>(1)),
      core_(joined_.host, joined_.wiring, options(), hooks()) {
  for (std::size_t edge = 0; edge < joined_.outbound_topics.size(); ++edge)
    offering_.add_edge(joined_.outbound_topics[edge],
                       offer_topic(joined_.wiring.mesh, joined_.wiring.outbound[edge].spec));
  for (const std::string& topic : joined_.subscribed) offering_.on_subscription(topic, /*open=*/true);
}

Running::~Running() {
  stop_waiting();
  resender_->join();
}

KeepShares Running::shares() const { return keep_shares(joined_.wiring, joined_.keep_bytes); }

AgentCore::Options Running::options() {
  return {.name = around_.name,
          .threads = joined_.threads,
          .receive = {.model = nullptr,
                      .room = room_for_caches(),
                      .borrows = joined_.borrows,
                      .keep_bytes = shares().received,
                      .waiting_bytes = joined_.waiting_bytes},
          .keep_prompt_bytes = shares().prompts};
}

AgentCore::Hooks Running::hooks() {
  return {.publish =
              [this](std::size_t edge, wire::UnsealedMessage message) {
                publish(around_.node, joined_.outbound_topics[edge], std::move(message));
              },
          .reuse = offering_.hooks(),
          .send_back =
              [this](std::size_t edge, const wire::Back& back) {
                const Wiring& wiring = joined_.wiring;
                around_.node.send_back(offer_topic(wiring.mesh, wiring.inbound[edge].spec), wire::encode_back(back));
              },
          .answer =
              [this](const TurnAnswer& answer) { std::visit([this](const auto& one) { around_.send(one); }, answer); },
          .progress = [this](const bus::Progress& progress) { around_.send(progress); },
          .post = around_.post};
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

void Running::on(bus::Task& task) { core_.on_task(std::move(task)); }

void Running::on(const bus::Cancel& cancel) {
  core_.on_cancel(cancel.request);
  offering_.forget(cancel.request);
}

void Running::on(const bus::Scores& scores) { core_.on_scores(scores.edge); }

void Running::on(const bus::Delivered& delivered) {
  if (const auto edge = joined_.offers_by_topic.find(delivered.topic); edge != joined_.offers_by_topic.end())
    return answer_offer(edge->second, delivered);
  const auto edge = joined_.inbound_by_topic.find(delivered.topic);
  if (edge == joined_.inbound_by_topic.end()) return;
  if (delivered.problem.empty()) core_.on_message(edge->second, delivered.message);
  else core_.on_damage(edge->second, Error(ErrorKind::kReconnect, delivered.problem));
}

void Running::on(const bus::ConnectionRenewed& renewed) {
  const auto edge = joined_.inbound_by_topic.find(renewed.topic);
  if (edge != joined_.inbound_by_topic.end()) core_.on_renewed(edge->second);
}

void Running::on(const bus::CameBack& back) {
  try {
    if (const auto failure = offering_.on_back(back)) core_.report(*failure);
  } catch (const Error& error) {
    log_warning(cat("agent ", around_.name, ": ", error.what(), " on ", back.topic));
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
    core_.on_offer(edge, wire::decode_offer(delivered.message));
  } catch (const Error& error) {
    log_warning(cat("agent ", around_.name, ": ", error.what(), " on ", delivered.topic));
  }
}

}  // namespace kvmesh::agents
