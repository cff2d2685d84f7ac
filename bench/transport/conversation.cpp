#include "bench/transport/conversation.hpp"

#include <chrono>
#include <utility>

#include "agents/outbox.hpp"
#include "agents/publish.hpp"
#include "base/error.hpp"
#include "bus/topic.hpp"

namespace kvmesh::bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

wire::EdgeSpec every_layer() {
  wire::EdgeSpec edge;
  edge.from = "reader";
  edge.to = "solver";
  edge.layers.kind = wire::LayerChoice::Kind::kAll;
  return edge;
}

}  // namespace

Conversation::Conversation(const llm::Model& model, std::size_t keep_bytes)
    : model_(model),
      reader_{.mesh = "bench",
              .inbound = {},
              .outbound = {{every_layer(), llm::manifest_of(model.config()), true, {}}}},
      topic_(bus::edge_topic("bench", "reader", "solver", "kv")),
      offer_topic_(bus::edge_topic("bench", "reader", "solver", "offer")),
      prompts_(keep_bytes),
      solver_({.mesh = "bench", .inbound = {{every_layer(), llm::manifest_of(model.config())}}, .outbound = {}},
              {.model = &model, .room = nullptr, .borrows = {}, .keep_bytes = keep_bytes}) {
  const auto endpoint = [&](const char* name) { return bus::Endpoint::ipc(cat(scratch_.path(), '/', name)); };
  reader_node_ = std::make_unique<bus::Node>(bus::NodeOptions{.control = endpoint("control"),
                                                              .bind_control = true,
                                                              .publish = endpoint("publish")},
                                             [this](bus::Event event) { on_reader_event(std::move(event)); });
  {
    const std::lock_guard lock(mutex_);
    offering_ = std::make_unique<agents::Offering>(*reader_node_, keep_bytes,
                                                   [](const std::function<void()>& work) { work(); });
    offering_->add_edge(topic_, offer_topic_);
  }
  solver_node_ =
      std::make_unique<bus::Node>(bus::NodeOptions{.control = endpoint("control")}, [this](bus::Event event) {
        auto* delivered = std::get_if<bus::Delivered>(&event);
        if (!delivered) return;
        const std::lock_guard lock(mutex_);
        delivered_.push_back(std::move(*delivered));
        changed_.notify_all();
      });
  placer_ = std::thread([this] { place(); });
  solver_node_->subscribe(reader_node_->publish_endpoint(), offer_topic_);
  solver_node_->subscribe(reader_node_->publish_endpoint(), topic_);
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [this] { return subscribed_; }))
    throw Error(ErrorKind::kRetry, "the solver did not subscribe");
}

Conversation::~Conversation() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  placer_.join();
}

void Conversation::on_reader_event(bus::Event event) {
  const std::lock_guard lock(mutex_);
  if (const auto* opened = std::get_if<bus::SubscriptionOpened>(&event)) {
    offering_->on_subscription(opened->topic, true);
    subscribed_ = subscribed_ || opened->topic == topic_;
    changed_.notify_all();
  }
  if (const auto* back = std::get_if<bus::CameBack>(&event)) offering_->on_back(*back);
}

void Conversation::place() {
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [this] { return stop_ || !delivered_.empty(); });
    if (stop_) return;
    const bus::Delivered delivered = std::move(delivered_.front());
    delivered_.pop_front();
    lock.unlock();
    std::optional<Error> failure;
    try {
      receive(delivered);
    } catch (const Error& error) {
      failure.emplace(error);
    }
    lock.lock();
    if (!failure) continue;
    if (arrivals_) arrivals_->fail(*failure);
    failure_ = failure;
    changed_.notify_all();
  }
}

/// What an agent's process does with what comes.
void Conversation::receive(const bus::Delivered& delivered) {
  const std::lock_guard receiving(solver_mutex_);
  if (delivered.topic == offer_topic_) {
    const wire::Held held = solver_.on_offer(0, wire::decode_offer(delivered.message));
    return solver_node_->send_back(offer_topic_, wire::encode_back(held));
  }
  const auto outcome = solver_.on_message(0, delivered.message, std::chrono::steady_clock::now());
  for (const wire::Back& back : outcome.back) solver_node_->send_back(offer_topic_, wire::encode_back(back));
  if (!outcome.failures.empty()) throw Error(outcome.failures.front().kind, outcome.failures.front().reason);
  if (!outcome.turn) return;
  const std::lock_guard lock(mutex_);
  arrivals_ = outcome.turn->kv;
  changed_.notify_all();
}

Conversation::Turn Conversation::turn(const std::vector<std::int64_t>& ids) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  bus::Task task;
  task.request = cat("r", turns_++);
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::lock_guard receiving(solver_mutex_);
    solver_.on_task(task, begin);
  }
  const agents::Outbox::Publish publish = [this](std::size_t, wire::UnsealedMessage message) {
    agents::publish(*reader_node_, topic_, std::move(message));
  };
  const agents::KvReuse reuse = offering_->hooks();
  agents::Outbox outbox(model_, reader_, task, publish, reuse);
  outbox.offer(ids);
  auto cache = std::make_shared<llm::KvCache>(model_.make_cache(tokens));
  const std::int64_t known = prompts_.begin(ids, tokens, *cache);
  outbox.plan_kv(wire::Share::kPrompt, *cache, tokens);
  llm::ForwardInput input{.embeddings = model_.embed(std::span(ids).subspan(static_cast<std::size_t>(known)))};
  input.on_layer = [&](int layer) { outbox.send_layer(layer, cache->layer(layer), wire::Share::kPrompt); };
  model_.forward(input, *cache);
  outbox.finish_layers();
  prompts_.keep(ids, cache);
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [this] { return arrivals_ || failure_; }))
    throw Error(ErrorKind::kRetry, "no rows came");
  if (failure_) throw Error(failure_->kind(), failure_->what());
  const std::shared_ptr<agents::KvArrivals> arrivals = std::exchange(arrivals_, nullptr);
  lock.unlock();
  arrivals->wait_for_all(Deadline::after(kPatience));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const std::lock_guard receiving(solver_mutex_);
  solver_.on_turn_end(task.request);
  return {outbox.reports().front().bytes, took.count()};
}

}  // namespace kvmesh::bench
