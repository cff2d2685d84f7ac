#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kvcodec/kept_blocks.hpp"
#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {

/// What stands between the bus and an Agent on kv edges whose sender offers what it is about to send: answers offers,
/// finds the rows that need not come, keeps those that come, and asks again, once, for a message that was damaged or
/// refers to rows that are not here. Messages behind such a one wait for it, so that an Agent sees all in order. A
/// plain state machine: events in, messages and answers out. One thread at a time.
///
/// Bounds: that of KeptBlocks; KeptBlocks::kMostOffers open requests, the oldest of which cannot be asked for again
/// then; and of a request that waits, the messages that its sender had sent already.
class KvIntake {
 public:
  /// `layers`: of the receiver's model.
  KvIntake(std::size_t keep_bytes, int layers) : kept_(keep_bytes), layers_(layers) {}

  /// A message that is whole. `kept`: the rows that it refers to, where it does and its request is open.
  struct Ready {
    wire::WireMessage message;
    std::optional<std::vector<wire::WireMessage>> kept;
  };
  struct Outcome {
    std::vector<Ready> ready;      ///< in order
    std::vector<wire::Back> back;  ///< to the sender
    std::optional<Error> failure;  ///< of the request: what was asked for again came badly
    std::string request;           ///< that the message says it is of
  };

  /// The sender of inbound edge number `edge` offers; the answer. From now on it can be asked again.
  wire::Held on_offer(std::size_t edge, const wire::Offer& offer);
  /// A message on a kv edge: [envelope, payload...]. Throws Error{kReconnect} that names the edge for one that cannot
  /// be read, or is damaged and cannot be asked for again.
  Outcome on_message(std::size_t edge, std::span<const OwnedBytes> frames);
  /// A message's rows have been placed: they may serve later requests. `borrowed` as KeptBlocks::keep().
  void on_placed(std::size_t edge, const wire::WireMessage& message, bool borrowed);
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
    std::deque<wire::WireMessage> behind;
  };

  Open* find(std::size_t edge, const std::string& request);
  void feed(Open& open, wire::WireMessage message, Outcome& outcome);
  Ready whole(std::size_t edge, wire::WireMessage message);

  kvcodec::KeptBlocks kept_;
  const int layers_;
  std::deque<Open> open_;
};

}  // namespace kvmesh::agents
