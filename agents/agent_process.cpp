#include "agents/agent_process.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "agents/process/handshake.hpp"
#include "agents/process/running.hpp"
#include "base/error.hpp"
#include "bus/liveness.hpp"
#include "bus/local_address.hpp"
#include "bus/node.hpp"

#include <spdlog/spdlog.h>

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

/// The process around an Agent: the loop, its sockets, timers and signals, and how it ends. Everything but compute
/// happens on the thread that calls run(); the model is loaded (Handshake) and turns are taken (Running) on threads of
/// their own, and what comes of it comes back as a posted event.
class AgentProcess {
 public:
  explicit AgentProcess(const AgentOptions& options)
      : options_(options),
        liveness_(Clock::now()),
        deadline_(Deadline::after(options.handshake_deadline)),
        signals_(loop_, SIGINT, SIGTERM),
        timer_(loop_),
        handshake_(surroundings(), [this](Joined joined) { on_joined(std::move(joined)); }),
        node_({.control = options.orchestrator,
               .publish = options.publish ? *options.publish : publisher_beside(options.orchestrator, options.name)},
              [this](bus::Event event) {
                asio::post(loop_, [this, event = std::move(event)]() mutable { on_event(std::move(event)); });
              }) {}

  ~AgentProcess() { running_.reset(); }

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
  Surroundings surroundings() {
    return {.name = options_.name,
            .node = node_,
            .send = [this](const bus::Control& message) { send(message); },
            .post =
                [this](std::function<void()> work) {
                  asio::post(loop_, [this, work = std::move(work)] { guarded(work); });
                }};
  }

  void send(const bus::Control& message) {
    liveness_.sent(Clock::now());
    node_.send_control("", bus::encode_control(message));
  }

  void finish() {
    if (running_) running_->stop_waiting();
    loop_.stop();
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

  void on_timer() {
    const auto now = Clock::now();
    if (heard_from_orchestrator_ && liveness_.dead(now))
      return fail(Error(ErrorKind::kReconnect,
                        cat("agent ", options_.name, ": the orchestrator at ", options_.orchestrator.string(),
                            " has been silent for ", bus::Liveness::kTimeout.count() / 1000, " s; it is gone")));
    if (!running_ && deadline_.expired(now))
      return fail(Error(ErrorKind::kRetry, cat("agent ", options_.name, ": the orchestrator at ",
                                               options_.orchestrator.string(), " did not finish the handshake within ",
                                               options_.handshake_deadline.count() / 1000, " s; is it running?")));
    if (liveness_.due_to_send(now)) send(bus::Heartbeat{});
    auto next = std::min(now + bus::Liveness::kInterval, liveness_.next_wakeup());
    if (running_) {
      running_->on_time(now);
      if (const auto deadline = running_->next_deadline()) next = std::min(next, *deadline);
    }
    timer_.expires_at(std::max(next, now + std::chrono::milliseconds(1)));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) guarded([this] { on_timer(); });
    });
  }

  void on_joined(Joined joined) {
    const bus::Ready ready{joined.host->model().fingerprint()};
    running_.emplace(surroundings(), std::move(joined));
    send(ready);
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
  void on(bus::SubscriptionOpened& opened) { on_subscription(opened.topic, true); }
  void on(bus::SubscriptionClosed& closed) { on_subscription(closed.topic, false); }
  void on_subscription(const std::string& topic, bool open) {
    if (running_) running_->on_subscription(topic, open);
    else handshake_.on_subscription(topic, open);
  }
  void on(bus::SendFailed& failed) {
    throw Error(ErrorKind::kRetry, cat("agent ", options_.name, ": a message",
                                       failed.topic.empty() ? std::string() : cat(" on ", failed.topic),
                                       " could not be sent: ", failed.reason));
  }
  void on(bus::NodeFailed& failed) {
    throw Error(ErrorKind::kGiveUp, cat("agent ", options_.name, ": its sockets failed: ", failed.reason));
  }
  void on(bus::Delivered& delivered) { at_work().on(delivered); }
  void on(bus::CameBack& back) { at_work().on(back); }

  void on(const bus::Assign& assign) { handshake_.on(assign); }
  void on(const bus::Edges& edges) { handshake_.on(edges); }
  void on(bus::Task& task) { at_work().on(task); }
  void on(const bus::Cancel& cancel) { at_work().on(cancel); }
  void on(const bus::Scores& scores) { at_work().on(scores); }
  void on(const bus::Heartbeat&) {}
  void on(const bus::Refused& refused) {
    failure_.emplace(ErrorKind::kFixInput, cat("agent ", options_.name, " was refused: ", refused.reason));
    finish();
  }
  void on(const bus::Bye&) {
    if (running_ && running_->kept_bytes() > 0)
      spdlog::debug("agent {}: kept {} KiB of received rows", options_.name, running_->kept_bytes() >> 10);
    send(bus::Bye{});
    finish();
  }
  template <typename Other>
  void on(const Other&) {
    throw Error(ErrorKind::kReconnect, cat("agent ", options_.name, ": the orchestrator sent what only agents send"));
  }

  Running& at_work() {
    if (!running_)
      throw Error(ErrorKind::kReconnect, cat("agent ", options_.name, ": work came before the model was loaded"));
    return *running_;
  }

  AgentOptions options_;
  bus::Liveness liveness_;
  Deadline deadline_;  ///< of the handshake
  asio::io_context loop_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  bool heard_from_orchestrator_ = false;
  std::optional<Error> failure_;
  Handshake handshake_;
  std::optional<Running> running_;  ///< from ready on

  bus::Node node_;  // last: its thread posts to the members above, so it goes first
};

}  // namespace

void run_agent(const AgentOptions& options) { AgentProcess(options).run(); }

}  // namespace kvmesh::agents
