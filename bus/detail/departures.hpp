#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bus/detail/outstanding.hpp"
#include "bus/detail/read_ahead.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// Published messages on their way to ZeroMQ, which is given no more than it will soon send. What is sealed, that is
/// read for its checksum, just before it leaves is still in the processor's cache when the kernel copies it
/// (docs/results.md, "Transport"). Messages of one topic leave in order; of several topics that may send, the one whose
/// message came first. Decides and waits for nothing. One thread at a time.
///
/// Bound: ByteBudget's, whose charges stay with the messages.
class Departures {
 public:
  /// What ZeroMQ may have of a topic: as many bytes as so many messages like the next one, within these bounds; one
  /// message of any size where it has nothing. Measured: with fewer messages ZeroMQ runs dry while the next are sealed,
  /// with more they are sealed in longer runs, which hold a core that the sockets need. For each topic, since what
  /// several subscribers are sent is mostly the same rows, and so none waits for another's subscriber.
  static constexpr std::size_t kWindowMessages = 4;
  static constexpr std::size_t kLeastWindowBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMostWindowBytes = std::size_t{8} << 20;

  struct Departure {
    std::string topic;
    Message message;
    std::optional<SharedRows> shared;   ///< those of its frames that stand in shared memory
    std::function<void()> seal;         ///< to be called before it is sent; may be null
    std::shared_ptr<const void> keeps;  ///< to be held until ZeroMQ has let go of the message
    std::size_t bytes = 0;
  };

  /// `wake` is called, on any thread, when a message that had to wait may leave; as Outstanding's.
  explicit Departures(std::function<void()> wake) : wake_(std::move(wake)) {}

  void add(Departure departure);
  /// The next message that may leave; none: `wake` is called when there is one, if any waits.
  std::optional<Departure> next();
  /// The next one, whether it may or not.
  std::optional<Departure> next_of_all();

 private:
  struct Numbered {
    std::uint64_t number = 0;
    Departure departure;
  };
  struct Topic {
    std::shared_ptr<Outstanding> out;
    std::deque<Numbered> waiting;
  };
  using Topics = std::map<std::string, Topic>;

  /// Where the next message has `bytes`.
  static std::size_t window(std::size_t bytes);
  static bool may_leave(const Topic& topic);
  bool wait();
  template <typename May>
  Topics::iterator first(May may);
  Departure take(Topics::iterator topic);

  const std::function<void()> wake_;
  Topics topics_;
  std::uint64_t added_ = 0;
};

}  // namespace kvmesh::bus::detail
