#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "kvcodec/kept_blocks.hpp"
#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {

/// What stands between the bus and the placing of rows on kv edges: answers offers, finds the rows that need not come,
/// keeps those that come, and decides what becomes of a message that was damaged or refers to rows that are not here:
/// where its sender offers what it is about to send, it can be asked for once more. Messages behind such a one wait for
/// it, so that rows are placed in order. A plain state machine. One thread at a time.
///
/// Bounds: that of KeptBlocks; KeptBlocks::kMostOffers open requests, the oldest of which cannot be asked for again
/// then; and of a request that waits, the messages that its sender had sent already.
class KvIntake {
 public:
  /// `keep_bytes`: 0 keeps nothing. `layers`: of the receiver's model.
  KvIntake(std::size_t keep_bytes, int layers) : kept_(keep_bytes), layers_(layers) {}

  /// A message whose turn it is to be placed. `checked`: its payload has been found whole while it waited.
  struct Incoming {
    wire::WireMessage message;
    bool checked = false;
  };

  /// The sender of inbound edge number `edge` offers; the answer. From now on it can be asked again.
  wire::Held on_offer(std::size_t edge, const wire::Offer& offer);
  /// A message on a kv edge, as wire::read_message() gives it. None comes back where it waits for one before it.
  std::optional<Incoming> on_message(std::size_t edge, wire::WireMessage message);
  /// The next of the messages that waited, when they need not any more.
  std::optional<Incoming> next(std::size_t edge, const std::string& request);

  /// The rows that a message refers to instead of bringing them, checked; none where it brings them, or was never
  /// offered. Throws wire::DamagedMessage where they are not here any more.
  std::optional<std::vector<wire::WireMessage>> kept_rows(std::size_t edge, const wire::Envelope& envelope);
  /// The message's rows have been placed: they may serve later requests. `borrowed` as KeptBlocks::keep(). What its
  /// sender is to be told, if anything.
  std::optional<wire::Done> on_placed(std::size_t edge, const wire::WireMessage& message, bool borrowed);

  enum class Repair {
    kAskAgain,    ///< its sender is to be asked for it
    kAskedAgain,  ///< in vain: that was it
    kNone,        ///< its sender cannot be asked
  };
  /// What becomes of a message that on_message() or next() gave, and that is damaged.
  Repair on_damage(std::size_t edge, const wire::Envelope& envelope);
  /// The request is over, well or not.
  void on_end(const std::string& request);

  /// Bytes of rows that are kept.
  std::size_t kept_bytes() const { return kept_.bytes(); }

 private:
  /// A request whose sender can be asked again.
  struct Open {
    std::size_t edge = 0;
    std::string request;
    std::optional<std::uint32_t> awaited;  ///< the message that was asked for again
    std::deque<Incoming> behind;
  };

  Open* find(std::size_t edge, const std::string& request);

  kvcodec::KeptBlocks kept_;
  const int layers_;
  std::deque<Open> open_;
};

}  // namespace kvmesh::agents
