#include "bus/node.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "bus/detail/byte_budget.hpp"
#include "bus/detail/departures.hpp"
#include "bus/detail/shared_arena.hpp"
#include "bus/detail/sockets.hpp"

namespace kvmesh::bus {
namespace {

struct SendControl {
  std::string peer;
  OwnedBytes body;
  WhenUnread when_unread = WhenUnread::kFail;
};
struct Publish {
  detail::Departures::Departure departure;
};
struct Subscribe {
  Endpoint publisher;
  std::string topic;
  bool shared_memory = false;
};
struct Unsubscribe {
  std::string topic;
};
struct SendBack {
  std::string topic;
  OwnedBytes body;
};
/// The last command: everything before it has been handed to ZeroMQ when it is reached.
struct Stop {};

using Command = std::variant<SendControl, Publish, Subscribe, Unsubscribe, SendBack, Stop>;

/// Commands on their way to the socket thread, and the descriptor that wakes it. Bounded by what it carries: published
/// bytes by the budget; control messages are few and the thread, which never waits for a peer, takes them at once.
class Inbox {
 public:
  Inbox() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw Error(ErrorKind::kGiveUp, cat("cannot make an eventfd: ", std::strerror(errno)));
  }
  ~Inbox() { ::close(descriptor_); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  int descriptor() const { return descriptor_; }

  void post(Command command) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      commands_.push_back(std::move(command));
      if (commands_.size() > 1) return;  // who posted the first wakes the thread
    }
    wake();
  }

  void wake() {
    const std::uint64_t one = 1;
    // It fails only when the count is at its end, and then the thread is woken already.
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof(one));
  }

  /// The descriptor can be read no more, until the next wake().
  void woken() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof(count));
  }

  std::vector<Command> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(commands_, {});
  }

  /// Nobody takes commands any more: lets go of those that wait and of those still to come.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    commands_.clear();
  }

 private:
  const int descriptor_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  bool closed_ = false;
};

/// Messages that are sealed and sent before the sockets have their turn, which is a millisecond or a few.
constexpr int kRound = 8;

/// A thread that no signal is delivered to: signals belong to the process's own loop, and none interrupts a poll here.
template <typename Body>
std::thread start_without_signals(Body body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::move(body));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

class Node::Impl {
 public:
  Impl(NodeOptions options, Handler handler)
      : send_deadline_(options.send_deadline),
        handler_([this, handler = std::move(handler)](Event event) {
          // Nobody is there to return the shared memory of what was under way, or came too late.
          if (const auto* closed = std::get_if<SubscriptionClosed>(&event)) sharing_.drop(closed->topic);
          if (const auto* failed = std::get_if<SendFailed>(&event)) sharing_.drop(failed->topic);
          handler(std::move(event));
        }),
        budget_(std::make_shared<detail::ByteBudget>(options.publish_budget_bytes)),
        departures_([inbox = inbox_] { inbox->wake(); }),
        sockets_(std::make_unique<detail::Sockets>(options, handler_, [inbox = inbox_] { inbox->wake(); })),
        control_endpoint_(sockets_->control_endpoint()),
        publish_endpoint_(sockets_->publish_endpoint()),
        thread_(start_without_signals([this] { run(); })) {}

  ~Impl() {
    budget_->close("the node is closing");
    inbox_->post(Stop{});
    thread_.join();
  }

  const Endpoint& control_endpoint() const { return control_endpoint_; }
  const Endpoint& publish_endpoint() const {
    if (!publish_endpoint_) throw Error(ErrorKind::kGiveUp, "this node publishes nothing: give NodeOptions::publish");
    return *publish_endpoint_;
  }

  void post(Command command) { inbox_->post(std::move(command)); }
  void set_send_deadline(std::chrono::milliseconds deadline) { send_deadline_ = deadline; }
  void share_memory(const std::vector<std::string>& topics) { sharing_.begin(topics); }
  std::shared_ptr<std::byte> take_shared_memory(std::size_t bytes) { return sharing_.take(bytes); }

  void publish(const std::string& topic, Message message, std::function<void()> seal) {
    publish_endpoint();
    const Deadline deadline = Deadline::after(send_deadline_.load());
    auto shared = sharing_.share(topic, std::move(message), deadline);
    const std::size_t bytes = topic.size() + total_size(shared.message);
    std::shared_ptr<const void> charge;
    try {
      charge = budget_->take(bytes, topic, deadline);
    } catch (...) {
      if (shared.rows) sharing_.take_back(*shared.rows);
      throw;
    }
    inbox_->post(Publish{{.topic = topic,
                          .message = std::move(shared.message),
                          .shared = shared.rows,
                          .seal = std::move(seal),
                          .keeps = std::move(charge),
                          .bytes = bytes}});
  }

 private:
  void run() {
    std::string failure;
    try {
      while (obey()) {
        const bool more = depart();
        const std::chrono::milliseconds patience(more ? 0 : -1);
        if (sockets_->receive(inbox_->descriptor(), patience)) inbox_->woken();
      }
      while (auto departure = departures_.next_of_all()) send(std::move(*departure));
    } catch (const std::exception& error) {
      failure = cat("the bus thread failed: ", error.what());
      budget_->close(failure);
    }
    inbox_->close();
    sockets_.reset();  // lets what is queued leave, up to the sockets' linger
    if (!failure.empty()) handler_(NodeFailed{failure});
  }

  /// Carries out what was asked for since the last time; false once it was to stop.
  bool obey() {
    for (Command& command : inbox_->take_all()) {
      if (std::holds_alternative<Stop>(command)) return false;
      std::visit([this](auto& one) { obey(one); }, command);
    }
    return true;
  }

  /// Hands ZeroMQ some of what may leave; true: more may, once the sockets have had their turn.
  bool depart() {
    for (int i = 0; i < kRound; ++i) {
      auto departure = departures_.next();
      if (!departure) return false;
      send(std::move(*departure));
    }
    return true;
  }
  void send(detail::Departures::Departure departure) {
    if (departure.shared) sharing_.before_sending(*departure.shared);
    if (departure.seal) departure.seal();
    sockets_->publish(departure.topic, std::move(departure.message), std::move(departure.keeps));
  }

  void obey(SendControl& command) {
    sockets_->send_control(command.peer, std::move(command.body), command.when_unread);
  }
  void obey(Publish& command) {
    const std::string& topic = command.departure.topic;
    if (sockets_->has_subscriber(topic)) return departures_.add(std::move(command.departure));
    handler_(SendFailed{topic, {}, cat("nobody subscribes to \"", topic, "\"")});
  }
  void obey(Subscribe& command) { sockets_->subscribe(command.publisher, command.topic, command.shared_memory); }
  void obey(Unsubscribe& command) { sockets_->unsubscribe(command.topic); }
  void obey(SendBack& command) { sockets_->send_back(command.topic, command.body); }
  void obey(Stop&) {}

  std::atomic<std::chrono::milliseconds> send_deadline_;
  detail::Sharing sharing_;  ///< before the handler, which uses it
  const Handler handler_;
  const std::shared_ptr<detail::ByteBudget> budget_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();  ///< who lets go of a message may outlive the node
  detail::Departures departures_;
  std::unique_ptr<detail::Sockets> sockets_;  ///< the thread's own once that runs
  const Endpoint control_endpoint_;
  const std::optional<Endpoint> publish_endpoint_;
  std::thread thread_;
};

Node::Node(NodeOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
Node::~Node() = default;

const Endpoint& Node::control_endpoint() const { return impl_->control_endpoint(); }
const Endpoint& Node::publish_endpoint() const { return impl_->publish_endpoint(); }

void Node::send_control(const std::string& peer, OwnedBytes body, WhenUnread when_unread) {
  impl_->post(SendControl{peer, std::move(body), when_unread});
}

void Node::set_send_deadline(std::chrono::milliseconds deadline) { impl_->set_send_deadline(deadline); }

void Node::publish(const std::string& topic, Message message, std::function<void()> seal) {
  impl_->publish(topic, std::move(message), std::move(seal));
}

void Node::share_memory(const std::vector<std::string>& topics) { impl_->share_memory(topics); }

std::shared_ptr<std::byte> Node::take_shared_memory(std::size_t bytes) { return impl_->take_shared_memory(bytes); }

void Node::subscribe(const Endpoint& publisher, const std::string& topic, bool shared_memory) {
  if (publisher.scheme() == Endpoint::Scheme::kTcp && (publisher.port() == "*" || publisher.host() == "*")) {
    fail_input("cannot subscribe at ", publisher.string(), ": it names no host or no port to connect to");
  }
  impl_->post(Subscribe{publisher, topic, shared_memory});
}

void Node::unsubscribe(const std::string& topic) { impl_->post(Unsubscribe{topic}); }

void Node::send_back(const std::string& topic, OwnedBytes body) {
  if (body.size() > kMaxBackBytes)
    fail_input(body.size(), " bytes cannot be sent back on \"", topic, "\": the limit is ", kMaxBackBytes);
  impl_->post(SendBack{topic, std::move(body)});
}

}  // namespace kvmesh::bus
