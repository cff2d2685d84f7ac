#include "agents/agent_process.hpp"

#include <spdlog/spdlog.h>
#include <sys/types.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "agents/agent.hpp"
#include "agents/publish.hpp"
#include "agents/receive/kv_receiver.hpp"
#include "agents/reuse/keep_budget.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/offering.hpp"
#include "agents/turns/turn_thread.hpp"
#include "base/error.hpp"
#include "bus/liveness.hpp"
#include "bus/local_address.hpp"
#include "bus/memory_host.hpp"
#include "bus/node.hpp"
#include "bus/topic.hpp"
#include "llm/runtime.hpp"

namespace kvmesh::agents {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

bus::Endpoint publisher_beside(const bus::Endpoint& orchestrator, const std::string& name) {
  if (orchestrator.scheme() == bus::Endpoint::Scheme::kIpc)
    return bus::Endpoint::ipc(cat(orchestrator.path(), ".", name, ".", ::getpid()));
  return bus::Endpoint::tcp(bus::local_address_towards(orchestrator), "*");
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// The process around an Agent. Everything but compute happens on the thread that calls run(); the model is loaded and
/// turns are taken on threads of their own, and what comes of it comes back as a posted event.
class AgentProcess {
 public:
  explicit AgentProcess(const AgentOptions& options)
      : options_(options),
        liveness_(Clock::now()),
        handshake_(Deadline::after(options.handshake_deadline)),
        signals_(loop_, SIGINT, SIGTERM),
        timer_(loop_),
        loader_(1),
        resender_(1),
        offering_(node_, [this](std::function<void()> work) { apart(std::move(work)); }),
        node_({.control = options.orchestrator,
               .publish = options.publish ? *options.publish : publisher_beside(options.orchestrator, options.name)},
              [this](bus::Event event) {
                asio::post(loop_, [this, event = std::move(event)]() mutable { on_event(std::move(event)); });
              }) {}

  ~AgentProcess() {
    stop_waiting_for_rows();
    turn_thread_.reset();
    loader_.join();
    resender_.join();
  }

  void run() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) finish();
    });
    send(bus::Join{.agent = options_.name, .pid = ::getpid(), .host = host_name()});
    on_timer();
    loop_.run();
    if (failure_) throw Error(failure_->kind(), failure_->what());
  }

 private:
  void send(const bus::Control& message) {
    liveness_.sent(Clock::now());
    node_.send_control("", bus::encode_control(message));
  }

  void finish() {
    stop_waiting_for_rows();
    loop_.stop();
  }

  void stop_waiting_for_rows() {
    if (kv_) kv_->fail_all(Error(ErrorKind::kGiveUp, "the agent is leaving"));
  }

  /// Ends the process with `error`; the orchestrator hears it first.
  void fail(const Error& error) {
    if (failure_) return;
    send(bus::Failed{error.kind(), error.what()});
    failure_.emplace(error);
    finish();
  }

  /// Runs `action`; an Error ends the process.
  template <typename Action>
  void guarded(Action action) {
    try {
      action();
    } catch (const Error& error) {
      fail(error);
    } catch (const std::exception& error) {
      fail(Error(ErrorKind::kGiveUp, error.what()));
    }
  }

  /// What may have to wait for room on the bus, which this thread must not.
  void apart(std::function<void()> work) {
    asio::post(resender_, [this, work = std::move(work)] {
      try {
        work();
      } catch (const Error& error) {
        asio::post(loop_, [this, error] { fail(error); });
      } catch (const std::exception& error) {  // of libtorch, say: on this thread it would end the process unheard
        asio::post(loop_, [this, error = Error(ErrorKind::kGiveUp, error.what())] { fail(error); });
      }
    });
  }

  void on_timer() {
    const auto now = Clock::now();
    if (heard_from_orchestrator_ && liveness_.dead(now))
      return fail(Error(ErrorKind::kReconnect,
                        cat("agent ", options_.name, ": the orchestrator at ", options_.orchestrator.string(),
                            " has been silent for ", bus::Liveness::kTimeout.count() / 1000, " s; it is gone")));
    if (!ready_ && handshake_.expired(now))
      return fail(Error(ErrorKind::kRetry, cat("agent ", options_.name, ": the orchestrator at ",
                                               options_.orchestrator.string(), " did not finish the handshake within ",
                                               options_.handshake_deadline.count() / 1000, " s; is it running?")));
    if (liveness_.due_to_send(now)) send(bus::Heartbeat{});
    for (const Agent::Failure& failure : agent_.expire(now)) on_failure(failure);
    auto next = std::min(now + bus::Liveness::kInterval, liveness_.next_wakeup());
    if (auto deadline = agent_.next_deadline()) next = std::min(next, *deadline);
    timer_.expires_at(std::max(next, now + std::chrono::milliseconds(1)));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) guarded([this] { on_timer(); });
    });
  }

  void on_event(bus::Event event) {
    guarded([&] { std::visit([this](auto& e) { on(e); }, event); });
  }

  void on(bus::ControlReceived& received) {
    heard_from_orchestrator_ = true;
    liveness_.heard(Clock::now());
    bus::Control message = bus::decode_control(received.body);
    std::visit([this](auto& m) { on(m); }, message);
  }
  void on(bus::ControlComing&) {
    heard_from_orchestrator_ = true;
    liveness_.heard(Clock::now());
  }
  void on(bus::SubscriptionOpened& opened) {
    seen_.insert(opened.topic);
    offering_.on_subscription(opened.topic, true);
    ready_if_all_stands();
  }
  void on(bus::SubscriptionClosed& closed) {
    seen_.erase(closed.topic);
    offering_.on_subscription(closed.topic, false);
  }
  void on(bus::Delivered& delivered) {
    if (const auto edge = offers_by_topic_.find(delivered.topic); edge != offers_by_topic_.end())
      return answer_offer(edge->second, delivered);
    auto edge = inbound_by_topic_.find(delivered.topic);
    if (edge == inbound_by_topic_.end()) return;
    if (!delivered.problem.empty())
      return act(agent_.on_damage(edge->second, Error(ErrorKind::kReconnect, delivered.problem)));
    const wire::EdgeSpec& spec = agent_.wiring().inbound[edge->second].spec;
    if (spec.medium != wire::Medium::kKv) return act(agent_.on_message(edge->second, delivered.message, Clock::now()));
    if (!kv_)
      return act(agent_.on_damage(edge->second, Error(ErrorKind::kReconnect, "rows came before the model is loaded")));
    KvReceiver::Outcome outcome = kv_->on_message(edge->second, delivered.message, Clock::now());
    for (const wire::Back& back : outcome.back) node_.send_back(offer_topic(spec), wire::encode_back(back));
    act({.turn = std::move(outcome.turn), .failures = std::move(outcome.failures)});
  }
  void on(bus::ConnectionRenewed& renewed) {
    const auto edge = inbound_by_topic_.find(renewed.topic);
    if (edge != inbound_by_topic_.end()) act(agent_.on_renewed(edge->second));
  }
  void on(bus::CameBack& back) {
    try {
      if (const auto failure = offering_.on_back(back)) report(*failure);
    } catch (const Error& error) {
      spdlog::warn("agent {}: {} on {}", options_.name, error.what(), back.topic);
    }
  }

  /// An offer that cannot be read is not answered; its sender then sends everything.
  void answer_offer(std::size_t edge, const bus::Delivered& delivered) {
    if (!kv_) return;
    try {
      const wire::Offer offer = wire::decode_offer(delivered.message);
      const wire::Held held = kv_->on_offer(edge, offer);
      if (!offer.blocks.empty()) node_.send_back(delivered.topic, wire::encode_back(held));
    } catch (const Error& error) {
      spdlog::warn("agent {}: {} on {}", options_.name, error.what(), delivered.topic);
    }
  }

  void on(bus::SendFailed& failed) {
    throw Error(ErrorKind::kRetry, cat("agent ", options_.name, ": a message",
                                       failed.topic.empty() ? std::string() : cat(" on ", failed.topic),
                                       " could not be sent: ", failed.reason));
  }
  void on(bus::NodeFailed& failed) {
    throw Error(ErrorKind::kGiveUp, cat("agent ", options_.name, ": its sockets failed: ", failed.reason));
  }

  void on(const bus::Assign& assign) {
    assign_ = assign;
    llm::set_compute_threads(assign.threads);
    manifest_ = llm::read_manifest(assign.model_path);
    keep_bytes_ = keep_budget(assign.keep_mib);
    if (keep_bytes_ > 0) kept_prompts_.emplace(keep_bytes_);
    send(bus::Hello{.manifest = wire::to_json(manifest_),
                    .publish_endpoint = node_.publish_endpoint().string(),
                    .memory_host = bus::memory_host()});
  }

  void on(const bus::Edges& edges) {
    Wiring wiring{.mesh = assign_.mesh, .inbound = {}, .outbound = {}};
    for (const bus::EdgeEnd& end : edges.inbound) {
      const wire::EdgeSpec spec = wire::edge_spec_from_json(end.spec);
      // Before the edge itself: who has seen that subscription has seen this one.
      if (spec.medium == wire::Medium::kKv && keep_bytes_ > 0) {
        const std::string topic = offer_topic(spec);
        offers_by_topic_[topic] = wiring.inbound.size();
        node_.subscribe(bus::Endpoint::parse(end.endpoint), topic);
      }
      inbound_by_topic_[end.topic] = wiring.inbound.size();
      borrows_.push_back(end.shared_memory);
      wiring.inbound.push_back({spec, wire::manifest_from_json(end.manifest)});
      node_.subscribe(bus::Endpoint::parse(end.endpoint), end.topic, end.shared_memory);
    }
    for (const bus::EdgeEnd& end : edges.outbound) {
      outbound_topics_.push_back(end.topic);
      offering_.add_edge(end.topic, offer_topic(wire::edge_spec_from_json(end.spec)));
      wiring.outbound.push_back(
          {wire::edge_spec_from_json(end.spec), wire::manifest_from_json(end.manifest), end.carries_sink, {}});
    }
    agent_ = Agent(std::move(wiring));
    share_memory(edges.outbound);
    load();
  }

  std::string offer_topic(const wire::EdgeSpec& spec) const {
    return bus::edge_topic(assign_.mesh, spec.from, spec.to, "offer");
  }

  /// What the orchestrator found to be on one host. Where there is no memory for it the socket serves as well, unless
  /// the topology insists.
  void share_memory(const std::vector<bus::EdgeEnd>& edges) {
    std::vector<std::string> topics;
    bool required = false;
    for (const bus::EdgeEnd& end : edges) {
      if (!end.shared_memory) continue;
      topics.push_back(end.topic);
      required = required || wire::edge_spec_from_json(end.spec).transport == wire::Transport::kShm;
    }
    if (topics.empty()) return;
    try {
      node_.share_memory(topics);
      shares_memory_ = true;
    } catch (const Error& error) {
      if (required) throw;
      spdlog::warn("agent {}: {}; its edges go over the socket", options_.name, error.what());
    }
  }

  struct Loaded {
    std::shared_ptr<const llm::Host> host;
    std::optional<Error> error;
  };

  static Loaded load_host(const bus::Assign& assign) {
    try {
      // Threads are set per thread by some OpenMP runtimes: say it on the one that loads.
      llm::set_compute_threads(assign.threads);
      return {std::make_shared<const llm::Host>(
                  llm::Host::load(assign.model_path, {.dtype = assign.dtype, .device = assign.device})),
              std::nullopt};
    } catch (const Error& error) {
      return {nullptr, error};
    } catch (const std::exception& error) {
      return {nullptr, Error(ErrorKind::kGiveUp, cat(assign.model_path, ": ", error.what()))};
    }
  }

  void load() {
    asio::post(loader_, [this, assign = assign_] {
      asio::post(loop_, [this, loaded = load_host(assign)] { guarded([&] { on_loaded(loaded); }); });
    });
  }

  void on_loaded(const Loaded& loaded) {
    if (loaded.error) throw Error(loaded.error->kind(), loaded.error->what());
    loader_.join();  // with the threads that computing on it has made
    host_ = loaded.host;
    for (const std::string& name : host_->model().unused_tensors())
      spdlog::info("agent {}: tensor {} is not used by this architecture", options_.name, name);
    kv_.emplace(host_->model(), agent_, KvReceiver::Options{keep_bytes_, borrows_, room_for_caches()});
    TurnThread::Hooks hooks;
    hooks.publish = [this](std::size_t edge, wire::UnsealedMessage message) {
      publish(node_, outbound_topics_[edge], std::move(message));
    };
    hooks.reuse = offering_.hooks();
    hooks.prompts = kept_prompts_ ? &*kept_prompts_ : nullptr;
    hooks.ended = [this](TurnAnswer answer) {
      asio::post(loop_, [this, answer = std::move(answer)] { guarded([&] { on_turn_end(answer); }); });
    };
    turn_thread_ = std::make_unique<TurnThread>(host_, options_.name, assign_.threads, std::move(hooks));
    ready_if_all_stands();
  }

  /// None where no edge shares memory: caches stand where rows leave from without a copy.
  MakeRoom room_for_caches() {
    if (!shares_memory_) return nullptr;
    return [this](std::size_t bytes) {
      const std::shared_ptr<std::byte> place = node_.take_shared_memory(bytes);
      return WritableBytes{place, place.get()};
    };
  }

  /// Ready means: the model is loaded and every receiver's subscription has been seen, so nothing published is lost.
  void ready_if_all_stands() {
    if (ready_ || !host_) return;
    for (const std::string& topic : outbound_topics_)
      if (seen_.count(topic) == 0) return;
    ready_ = true;
    send(bus::Ready{host_->model().fingerprint(), host_->tokenizer().fingerprint()});
  }

  void on(bus::Task& task) { act(agent_.on_task(std::move(task), Clock::now())); }
  void on(const bus::Cancel& cancel) {
    agent_.on_cancel(cancel.request);
    if (turn_thread_) turn_thread_->cancel(cancel.request);
    offering_.forget(cancel.request);
    if (kv_) kv_->fail(cancel.request, Error(ErrorKind::kRetry, "the request was cancelled"));
  }
  void on(const bus::Scores& scores) { agent_.on_scores(scores.edge); }
  void on(const bus::Heartbeat&) {}
  void on(const bus::Refused& refused) {
    failure_.emplace(ErrorKind::kFixInput, cat("agent ", options_.name, " was refused: ", refused.reason));
    finish();
  }
  void on(const bus::Bye&) {
    if (kv_ && kv_->kept_bytes() > 0)
      spdlog::debug("agent {}: kept {} KiB of received rows", options_.name, kv_->kept_bytes() >> 10);
    send(bus::Bye{});
    finish();
  }
  template <typename Other>
  void on(const Other&) {
    throw Error(ErrorKind::kReconnect, cat("agent ", options_.name, ": the orchestrator sent what only agents send"));
  }

  void report(const Agent::Failure& failure) {
    send(bus::TaskError{failure.request, failure.kind, cat("agent ", options_.name, ": ", failure.reason)});
  }

  void act(Agent::Outcome outcome) {
    if (outcome.turn) begin(std::move(*outcome.turn));
    for (const Agent::Failure& failure : outcome.failures) on_failure(failure);
  }

  /// A turn that is being taken reports its end itself.
  void on_failure(const Agent::Failure& failure) {
    if (!kv_ || !kv_->fail(failure.request, Error(failure.kind, failure.reason))) report(failure);
  }

  void begin(Turn turn) {
    turn.kv = kv_->begin(turn.task.request);
    turn_thread_->take(std::move(turn), agent_.wiring());
  }

  void on_turn_end(const TurnAnswer& answer) {
    const std::string& request = std::visit([](const auto& one) -> const std::string& { return one.request; }, answer);
    agent_.on_turn_end(request);
    kv_->on_turn_end(request);
    std::visit([this](const auto& message) { send(message); }, answer);
  }

  AgentOptions options_;
  bus::Liveness liveness_;
  Deadline handshake_;
  asio::io_context loop_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  asio::thread_pool loader_;
  asio::thread_pool resender_;  ///< of messages that are asked for again

  bool heard_from_orchestrator_ = false;
  bool ready_ = false;
  std::optional<Error> failure_;
  bus::Assign assign_;
  wire::Manifest manifest_;
  Agent agent_;
  std::map<std::string, std::size_t> inbound_by_topic_;
  std::map<std::string, std::size_t> offers_by_topic_;  ///< inbound edges
  std::vector<bool> borrows_;                           ///< by inbound edge: frames are the sender's memory
  std::vector<std::string> outbound_topics_;
  bool shares_memory_ = false;  ///< on some of those: what a turn computes stands there from the start
  std::size_t keep_bytes_ = 0;
  std::optional<KeptPrompts> kept_prompts_;  ///< the computing thread's
  std::set<std::string> seen_;
  std::shared_ptr<const llm::Host> host_;
  std::optional<KvReceiver> kv_;  ///< once the model is loaded
  std::unique_ptr<TurnThread> turn_thread_;
  Offering offering_;

  bus::Node node_;  // last: its thread posts to the members above, so it goes first
};

}  // namespace

void run_agent(const AgentOptions& options) { AgentProcess(options).run(); }

}  // namespace kvmesh::agents
