#include "agents/agent_process.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <set>
#include <utility>

#include "agents/process/departure.hpp"
#include "agents/process/handshake.hpp"
#include "agents/process/log.hpp"
#include "agents/process/patience.hpp"
#include "agents/process/running.hpp"
#include "base/deadline.hpp"
#include "base/signals.hpp"
#include "bus/liveness.hpp"
#include "bus/local_address.hpp"
#include "bus/memory_host.hpp"
#include "bus/node.hpp"

namespace kvmesh::agents {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

bus::Endpoint publisher_of(const AgentOptions& options) {
  if (options.publish) return *options.publish;
  if (options.orchestrator.scheme() == bus::Endpoint::Scheme::kIpc)
    return bus::Endpoint::ipc(cat(options.orchestrator.path(), ".", options.name, ".", ::getpid()));
  return bus::Endpoint::tcp(bus::local_address_towards(options.orchestrator), "*");
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
        publish_(publisher_of(options)),  // may ask the network, and is to be interrupted then: before the signals
        answer_deadline_(Deadline::after(options.answer_deadline)),
        signals_(loop_, SIGINT, SIGTERM, SIGQUIT),
        timer_(loop_),
        handshake_(surroundings(), [this](Joined joined) { on_joined(std::move(joined)); }),
        node_({.control = options.orchestrator, .publish = publish_}, [this](bus::Event event) {
          asio::post(loop_, [this, event = std::move(event)]() mutable { on_event(std::move(event)); });
        }) {
    if (!is_ignored(SIGHUP)) signals_.add(SIGHUP);  // nohup wants it to be
  }

  ~AgentProcess() { running_.reset(); }

  /// Why it ended, where it did not end well.
  const std::optional<Error>& run() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) finish();
    });
    send(bus::Join{.agent = options_.name, .pid = ::getpid(), .host = host_name()});
    on_timer();
    loop_.run();
    return failure_;
  }
  /// The orchestrator has heard of the failure, or is who told us.
  bool told() const { return told_; }

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
    const bool one_of_many = std::holds_alternative<bus::Heartbeat>(message);
    if (liveness_) liveness_->sent(Clock::now());
    node_.send_control("", bus::encode_control(message), one_of_many ? bus::WhenUnread::kDrop : bus::WhenUnread::kFail);
  }

  /// Leaves the loop. From here on nothing is waited for that takes long.
  void finish() {
    departure_.begin([this] { return leave_at_once(); });
    if (running_) running_->stop_waiting();
    loop_.stop();
  }

  /// On a thread of its own, while others still run: touches what does not change any more.
  int leave_at_once() const {
    std::error_code ignored;
    if (publish_.scheme() == bus::Endpoint::Scheme::kIpc) std::filesystem::remove(publish_.path(), ignored);
    if (!failure_) return 0;
    if (!(options_.child && told_)) std::cerr << cat("kvmesh: ", failure_->what(), '\n') << std::flush;
    return failure_->kind() == ErrorKind::kFixInput ? 2 : 3;
  }

  /// Ends the process with `error`; the orchestrator hears it first, if it lives.
  void fail(const Error& error, bool tell = true) {
    if (failure_) return;
    if (tell) send(bus::Failed{error.kind(), error.what()});
    told_ = tell && assigned_;
    failure_.emplace(error.kind(), named(error.what()));
    finish();
  }

  std::string named(const std::string& text) const {
    const std::string name = cat("agent ", options_.name);
    return text.starts_with(name) ? text : cat(name, ": ", text);
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

  std::string orchestrator() const { return cat("the orchestrator at ", options_.orchestrator.string()); }

  void on_timer() {
    const auto now = Clock::now();
    check_orchestrator(now);
    if (failure_) return;
    if (assigned_) handshake_.check_deadline(now);
    say_what_is_waited_for(now);
    auto next = now + bus::Liveness::kInterval;
    if (running_) {
      running_->on_time(now);
      if (const auto deadline = running_->next_deadline()) next = std::min(next, *deadline);
    }
    timer_.expires_at(std::max(next, now + std::chrono::milliseconds(1)));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) guarded([this] { on_timer(); });
    });
  }

  void check_orchestrator(Clock::time_point now) {
    if (!liveness_) {
      if (!answer_deadline_.expired(now)) return;
      return fail(Error(ErrorKind::kRetry, cat("agent ", options_.name, ": ", orchestrator(), " did not answer within ",
                                               options_.answer_deadline.count() / 1000, " s; is it running?")),
                  /*tell=*/false);
    }
    liveness_->awake(now);
    if (liveness_->due_to_send(now)) send(bus::Heartbeat{});
    if (options_.child || !liveness_->dead(now)) return;
    fail(Error(ErrorKind::kReconnect, cat("agent ", options_.name, ": ", orchestrator(), " has been silent for ",
                                          liveness_->silence(now) / std::chrono::seconds(1),
                                          " s; it hangs, is stopped, or cannot be reached")),
         /*tell=*/false);
  }

  /// A child's orchestrator tells its user itself what it waits for.
  void say_what_is_waited_for(Clock::time_point now) {
    if (options_.child) return;
    std::optional<std::string> what = handshake_.waiting_for();
    if (!assigned_)
      what = cat(orchestrator(), " to answer; start it with kvmesh orchestrate TOPOLOGY --bind ",
                 options_.orchestrator.string());
    if (const auto text = patience_.say(what, now)) log_info(cat("agent ", options_.name, " waits for ", *text));
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
    if (liveness_) liveness_->heard(Clock::now());
    bus::Control message = bus::decode_control(received.body);
    std::visit([this](auto& m) { on(m); }, message);
  }
  void on(bus::ControlComing&) {
    if (liveness_) liveness_->heard(Clock::now());
  }
  /// The orchestrator does not know us on the next connection. It may still be there that hears our first words.
  void on(bus::ControlLost&) {
    if (!assigned_) return send(bus::Join{.agent = options_.name, .pid = ::getpid(), .host = host_name()});
    if (options_.child) return finish();  // nobody is there to tell, nor to say it
    fail(Error(ErrorKind::kReconnect,
               cat("agent ", options_.name, ": ", orchestrator(), " is gone: the connection to it has ended")),
         /*tell=*/false);
  }
  void on(bus::SubscriptionOpened& opened) { on_subscription(opened.topic, true); }
  void on(bus::SubscriptionClosed& closed) { on_subscription(closed.topic, false); }
  void on_subscription(const std::string& topic, bool open) {
    if (running_) running_->on_subscription(topic, open);
    else handshake_.on_subscription(topic, open);
  }
  /// Whether a receiver has died is for the orchestrator to find out, which ends us too if it has.
  void on(bus::SendFailed& failed) {
    const auto receiver = running_ ? running_->receiver_on(failed.topic) : std::nullopt;
    if (!receiver)
      throw Error(ErrorKind::kRetry, cat("a message could not be sent to ", orchestrator(), ": ", failed.reason));
    if (lost_.insert(*receiver).second) send(bus::Lost{*receiver, cat("a message could not be sent: ", failed.reason)});
  }
  void on(bus::NodeFailed& failed) { throw Error(ErrorKind::kGiveUp, cat("its sockets failed: ", failed.reason)); }
  void on(bus::Delivered& delivered) { at_work().on(delivered); }
  void on(bus::ConnectionRenewed& renewed) {
    if (running_) running_->on(renewed);  // before, nothing could have been lost
  }
  void on(bus::CameBack& back) { at_work().on(back); }

  void on(const bus::Assign& assign) {
    assigned_ = true;
    const std::chrono::milliseconds timeout(assign.liveness_ms);
    liveness_.emplace(Clock::now(), bus::Liveness::kInterval, timeout);
    // A receiver that is only silent may come back until then.
    node_.set_send_deadline(timeout + kSlowReceiver);
    handshake_.on(assign);
  }
  void on(const bus::Edges& edges) { handshake_.on(edges); }
  void on(bus::Task& task) { at_work().on(task); }
  void on(const bus::Cancel& cancel) { at_work().on(cancel); }
  void on(const bus::Scores& scores) { at_work().on(scores); }
  void on(const bus::Heartbeat&) {}
  void on(const bus::Refused& refused) {
    told_ = true;
    failure_.emplace(ErrorKind::kFixInput, cat("agent ", options_.name, " was refused: ", refused.reason));
    finish();
  }
  void on(const bus::Bye&) {
    if (running_ && running_->kept_bytes() > 0)
      log_debug(cat("agent ", options_.name, ": kept ", running_->kept_bytes() >> 10, " KiB of received rows"));
    send(bus::Bye{});
    finish();
  }
  template <typename Other>
  void on(const Other&) {
    throw Error(ErrorKind::kReconnect, "the orchestrator sent what only agents send");
  }

  Running& at_work() {
    if (!running_) throw Error(ErrorKind::kReconnect, "work came before the model was loaded");
    return *running_;
  }

  /// How long a publisher waits for a receiver that lives.
  static constexpr std::chrono::milliseconds kSlowReceiver{10'000};

  Departure departure_;  // first, so that it goes last
  const AgentOptions options_;
  const bus::Endpoint publish_;
  const Deadline answer_deadline_;
  std::optional<bus::Liveness> liveness_;  ///< the orchestrator's, once it has answered
  Patience patience_;
  asio::io_context loop_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  bool assigned_ = false;
  bool told_ = false;
  std::set<std::string> lost_;  ///< agents that the orchestrator was told of
  std::optional<Error> failure_;
  Handshake handshake_;
  std::optional<Running> running_;  ///< from ready on

  bus::Node node_;  // last: its thread posts to the members above, so it goes first
};

}  // namespace

std::optional<Error> run_agent(const AgentOptions& options) {
  std::optional<Error> failure;
  bool told = false;
  {
    AgentProcess process(options);
    failure = process.run();
    told = process.told();
  }
  if (!failure || (options.child && told)) return failure;
  throw Error(failure->kind(), failure->what());
}

}  // namespace kvmesh::agents
