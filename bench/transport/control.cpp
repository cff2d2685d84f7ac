#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "bench/transport/raw_control.hpp"
#include "bench/transport/scratch.hpp"
#include "bench/transport/transport.hpp"
#include "bus/node.hpp"

namespace kvmesh::bench {
namespace {

constexpr int kRoundTrips = 2'000;
constexpr auto kPatience = std::chrono::seconds(10);

/// The thread behind a socket thread: an agent's loop, here with nothing to do but answer.
template <typename Item>
class Mailbox {
 public:
  void put(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_one();
  }
  Item take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return !items_.empty(); }))
      throw Error(ErrorKind::kRetry, "a control message did not arrive");
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
};

/// Two ends, each a thread that hands messages to a socket thread and takes them from it.
class Ends {
 public:
  virtual ~Ends() = default;
  virtual void ask() = 0;  ///< from the first end
  virtual void await_answer() = 0;
};

using Message = std::pair<std::string, OwnedBytes>;

class OurEnds : public Ends {
 public:
  explicit OurEnds(const Scratch& scratch)
      : hub_({.control = bus::Endpoint::ipc(scratch.path() + "/ours"), .bind_control = true}, into(hub_box_)),
        agent_({.control = hub_.control_endpoint()}, into(agent_box_)),
        answering_([this] {
          for (Message message = hub_box_.take(); message.second.size() > 1; message = hub_box_.take())
            hub_.send_control(message.first, message.second);
        }) {}
  ~OurEnds() override {
    agent_.send_control("", OwnedBytes::from_string("x"));
    answering_.join();
  }
  void ask() override { agent_.send_control("", body_); }
  void await_answer() override { agent_box_.take(); }

 private:
  static bus::Node::Handler into(Mailbox<Message>& box) {
    return [&box](bus::Event event) {
      if (auto* received = std::get_if<bus::ControlReceived>(&event)) box.put({received->peer, received->body});
    };
  }
  const OwnedBytes body_ = OwnedBytes::from_string(R"({"type":"heartbeat"})");
  Mailbox<Message> hub_box_, agent_box_;
  bus::Node hub_, agent_;
  std::thread answering_;
};

class RawEnds : public Ends {
 public:
  explicit RawEnds(const Scratch& scratch)
      : hub_("ipc://" + scratch.path() + "/raw", /*binds=*/true, into(hub_box_)),
        agent_("ipc://" + scratch.path() + "/raw", /*binds=*/false, into(agent_box_)),
        answering_([this] {
          for (RawControl::Parts parts = hub_box_.take(); parts.back().size() > 1; parts = hub_box_.take())
            hub_.send(std::move(parts));
        }) {}
  ~RawEnds() override {
    agent_.send({"x"});
    answering_.join();
  }
  void ask() override { agent_.send({R"({"type":"heartbeat"})"}); }
  void await_answer() override { agent_box_.take(); }

 private:
  static RawControl::Handler into(Mailbox<RawControl::Parts>& box) {
    return [&box](RawControl::Parts parts) { box.put(std::move(parts)); };
  }
  Mailbox<RawControl::Parts> hub_box_, agent_box_;
  RawControl hub_, agent_;
  std::thread answering_;
};

/// Microseconds of each round trip, sorted.
std::vector<double> round_trips(Ends& ends) {
  std::vector<double> times;
  for (int i = 0; i < kRoundTrips; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    ends.ask();
    ends.await_answer();
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

}  // namespace

void measure_control(const Emit& emit) {
  const Scratch scratch;
  OurEnds ours(scratch);
  RawEnds raw(scratch);
  const std::pair<const char*, double> percentiles[] = {{"p50", 0.5}, {"p99", 0.99}};
  for (const auto& [name, share] : percentiles) {
    const auto at = [share = share](Ends& ends) {
      const std::vector<double> times = round_trips(ends);
      return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
    };
    emit(compare(
        {.name = cat("control round trip ", name),
         .unit = "us",
         .bar = 1.3,
         .higher_is_better = false,
         .note = "raw ROUTER and DEALER"},
        [&] { return at(ours); }, [&] { return at(raw); }));
  }
}

}  // namespace kvmesh::bench
