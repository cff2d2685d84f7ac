#include <ATen/ATen.h>

#include <condition_variable>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "agents/outbox.hpp"
#include "agents/publish.hpp"
#include "agents/receive/kv_arrivals.hpp"
#include "base/error.hpp"
#include "bench/llm/machine.hpp"
#include "bench/transport/process.hpp"
#include "bench/transport/scratch.hpp"
#include "bench/transport/transport.hpp"
#include "bus/node.hpp"
#include "bus/topic.hpp"
#include "kvcodec/reassembly.hpp"

namespace kvmesh::bench {
namespace {

constexpr std::int64_t kContext = 1024, kQuery = 32;
constexpr auto kPatience = std::chrono::seconds(60);

// What the two are asked for.
constexpr char kSubscribed = 's', kStream = 'o', kPrefill = 'p', kTransfer = 't', kCompute = 'c', kMemory = 'm';

struct Setting {
  const llm::Model& model;
  const Scratch& scratch;
  bool shared_memory;

  bus::Endpoint control() const { return bus::Endpoint::ipc(scratch.path() + "/control"); }
  bus::Endpoint publisher() const { return bus::Endpoint::ipc(scratch.path() + "/publish"); }
  std::string topic() const { return bus::edge_topic("bench", "sender", "receiver", "kv"); }
  wire::EdgeSpec edge() const {
    wire::EdgeSpec spec;
    spec.from = "sender";
    spec.to = "receiver";
    spec.layers.kind = wire::LayerChoice::Kind::kAll;
    return spec;
  }
  at::Tensor tokens(std::int64_t count) const {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back((i * 7919 + 13) % model.config().vocab_size);
    return model.embed(ids);
  }
};

/// Prefills a context and sends each layer as soon as it is there, or all of them afterwards.
class Sender {
 public:
  explicit Sender(const Setting& setting)
      : setting_(setting),
        wiring_{.mesh = "bench",
                .inbound = {},
                .outbound = {{setting.edge(), llm::manifest_of(setting.model.config())}}},
        node_({.control = setting.control(), .bind_control = true, .publish = setting.publisher()},
              [this](const bus::Event& event) {
                if (!std::holds_alternative<bus::SubscriptionOpened>(event)) return;
                const std::lock_guard lock(mutex_);
                subscribed_ = true;
                changed_.notify_all();
              }) {
    if (setting.shared_memory) node_.share_memory({setting.topic()});
  }

  Span answer(char question) {
    if (question == kSubscribed) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, kPatience, [&] { return subscribed_; }))
        throw Error(ErrorKind::kRetry, "the receiver did not subscribe");
    }
    const double begin = seconds_now();
    if (question == kStream || question == kPrefill) prefill(question == kStream);
    if (question == kTransfer) send([](agents::Outbox&) {});
    return {begin, seconds_now()};
  }

 private:
  void prefill(bool streaming) {
    cache_.emplace(setting_.model.make_cache(1, [this](std::size_t bytes) {
      const std::shared_ptr<std::byte> place = node_.take_shared_memory(bytes);
      return WritableBytes{place, place.get()};
    }));
    cache_->reserve(kContext);
    llm::ForwardInput input{.embeddings = setting_.tokens(kContext), .logits = llm::LogitRows::kNone};
    if (!streaming) {
      setting_.model.forward(input, *cache_);
      return;
    }
    send([&](agents::Outbox& outbox) {
      input.on_layer = [&](int layer) { outbox.send_layer(layer, cache_->layer(layer), wire::Share::kPrompt); };
      setting_.model.forward(input, *cache_);
    });
  }

  /// `fill` puts rows into the cache and may send them; what it did not send is sent afterwards.
  template <typename Fill>
  void send(Fill fill) {
    const bus::Task task{.request = std::to_string(++requests_)};
    const agents::Outbox::Publish publish = [this](std::size_t, wire::UnsealedMessage message) {
      agents::publish(node_, setting_.topic(), std::move(message));
    };
    agents::Outbox outbox(setting_.model, wiring_, task, publish, everything_);
    outbox.plan_kv(wire::Share::kPrompt, *cache_, kContext);
    fill(outbox);
    for (int layer = 0; layer < cache_->layers(); ++layer)
      outbox.send_layer(layer, cache_->layer(layer), wire::Share::kPrompt);
    outbox.finish_layers();
  }

  const Setting setting_;
  const agents::Wiring wiring_;
  const agents::KvReuse everything_;  ///< is sent, whatever the receiver has
  std::mutex mutex_;
  std::condition_variable changed_;
  bool subscribed_ = false;
  std::optional<llm::KvCache> cache_;
  int requests_ = 0;
  bus::Node node_;
};

/// Bytes that /proc/self/status gives for `field`.
double status_bytes(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (double kib = 0; word == field && in >> kib) return kib * 1024;
  return 0;
}

/// Puts rows into its cache as they come, on a thread of its own as an agent does, and computes behind them.
class Receiver {
 public:
  explicit Receiver(const Setting& setting)
      : setting_(setting),
        wiring_{.mesh = "bench",
                .inbound = {{setting.edge(), llm::manifest_of(setting.model.config())}},
                .outbound = {}},
        node_({.control = setting.control()}, [this](bus::Event event) {
          if (auto* delivered = std::get_if<bus::Delivered>(&event)) {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(*delivered));
            changed_.notify_all();
          }
        }) {
    node_.subscribe(setting.publisher(), setting.topic(), setting.shared_memory);
    std::thread([this] { place_all(); }).detach();  // until the process ends
  }

  Span answer(char question) {
    const double begin = seconds_now();
    if (question == kStream || question == kTransfer) {
      arrivals(++requests_);  // lets go of the last one's cache
      if (before_ == 0) before_ = status_bytes("VmRSS:");
      std::ofstream("/proc/self/clear_refs") << 5;  // VmHWM begins anew
      if (question == kStream) compute();
      else arrivals(requests_)->wait_for_all(Deadline::after(kPatience));
      const Span took{begin, seconds_now()};
      // Shared memory that it maps is the sender's.
      above_cache_ = status_bytes("VmHWM:") - status_bytes("RssShmem:") - before_ - cache_bytes();
      return took;
    }
    if (question == kCompute) compute();
    if (question == kMemory) return {0, above_cache_};
    return {begin, seconds_now()};
  }

 private:
  /// The first token behind the context.
  void compute() {
    const std::shared_ptr<agents::KvArrivals> kv = arrivals(requests_);
    llm::ForwardInput input{.embeddings = setting_.tokens(kQuery)};
    input.before_layer = [&](int layer) { kv->wait_for(layer, Deadline::after(kPatience)); };
    setting_.model.forward(input, kv->cache()).logits.argmax().item<std::int64_t>();
  }

  std::shared_ptr<agents::KvArrivals> arrivals(int request) {
    const std::lock_guard lock(arrivals_mutex_);
    std::shared_ptr<agents::KvArrivals>& found = arrivals_[request];
    if (!found) found = std::make_shared<agents::KvArrivals>(setting_.model, wiring_);
    arrivals_.erase(arrivals_.begin(), arrivals_.find(request));
    return arrivals_[request];
  }

  void place_all() {
    for (;;) {
      bus::Delivered delivered;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !queue_.empty(); });
        delivered = std::move(queue_.front());
        queue_.pop_front();
      }
      const wire::WireMessage message = wire::read_message(delivered.message);
      delivered.message.clear();
      arrivals(std::stoi(message.envelope.request))->place(0, message);
    }
  }

  double cache_bytes() const {
    const llm::ModelConfig& c = setting_.model.config();
    return static_cast<double>(2 * kContext * c.num_hidden_layers * c.num_key_value_heads * c.head_dim) *
           static_cast<double>(c10::elementSize(setting_.model.dtype()));
  }

  const Setting setting_;
  const agents::Wiring wiring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<bus::Delivered> queue_;
  std::mutex arrivals_mutex_;
  std::map<int, std::shared_ptr<agents::KvArrivals>> arrivals_;
  int requests_ = 0;
  double before_ = 0;  ///< bytes that the process had before anything came
  double above_cache_ = 0;
  bus::Node node_;
};

template <typename End>
Process start(const char* name, int core, const Setting& setting) {
  return Process(name, core, [&]() -> Process::Work {
    auto end = std::make_shared<End>(setting);
    return [end](char question) { return end->answer(question); };
  });
}

/// The two processes.
class Pair {
 public:
  explicit Pair(const Setting& setting)
      : sender_(start<Sender>("sender", 0, setting)), receiver_(start<Receiver>("receiver", 1, setting)) {
    sender_.ask(kSubscribed);
    sender_.answer();
  }

  /// Seconds from the sender's beginning to the receiver's end of what both do.
  double both(char question) {
    receiver_.ask(question);
    sender_.ask(question);
    const double begin = sender_.answer().begin;
    return receiver_.answer().end - begin;
  }
  double sender_alone(char question) { return alone(sender_, question); }
  double receiver_alone(char question) { return alone(receiver_, question); }
  /// Of the receiver since the last transfer began, at its most.
  double bytes_above_cache() {
    receiver_.ask(kMemory);
    return receiver_.answer().end;
  }

 private:
  static double alone(Process& process, char question) {
    process.ask(question);
    const Span span = process.answer();
    return span.end - span.begin;
  }
  Process sender_, receiver_;
};

void measure_memory(const char* name, const Setting& setting, const Emit& emit) {
  constexpr double kMiB = 1 << 20;
  Pair pair(setting);
  pair.sender_alone(kPrefill);
  const double context =
      static_cast<double>(2 * kContext * setting.model.config().num_hidden_layers *
                          setting.model.config().num_key_value_heads * setting.model.config().head_dim * 2);
  emit(compare(
      {.name = cat("receiver beyond cache, ", name), .unit = "MiB", .higher_is_better = false, .note = "the context"},
      [&] {
        pair.both(kTransfer);
        return pair.bytes_above_cache() / kMiB;
      },
      [&] { return context / kMiB; }));
}

}  // namespace

void measure_overlap(const Emit& emit) {
  // Made once: the children see it as it is, without a copy.
  const llm::Model model = synthetic_1b(at::kBFloat16);
  {
    const Scratch scratch;
    Pair pair({model, scratch, /*shared_memory=*/true});
    emit(compare(
        {.name = "overlap, 1B, 1,024 tokens",
         .unit = "s",
         .bar = 1.1,
         .higher_is_better = false,
         .note = "max(prefill, transfer) + receiver"},
        [&] { return pair.both(kStream); },
        [&] {
          const double prefill = pair.sender_alone(kPrefill), transfer = pair.both(kTransfer);
          return std::max(prefill, transfer) + pair.receiver_alone(kCompute);
        }));
  }
  for (const bool shared_memory : {false, true}) {
    const Scratch scratch;
    measure_memory(shared_memory ? "shm" : "ipc", {model, scratch, shared_memory}, emit);
  }
}

}  // namespace kvmesh::bench
