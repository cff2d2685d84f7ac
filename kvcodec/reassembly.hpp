#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kvcodec/wire/edge_spec.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// What every message of one request on one edge must say.
struct ExpectedMessages {
  std::string mesh;
  std::string from;
  std::string to;
  wire::Medium kind = wire::Medium::kKv;
  std::string request;
  std::string manifest;  ///< Manifest::hash() of the sender, from its hello
};

/// Collects the messages of one request on one edge. A plain state machine: no socket, no clock. Messages of a topic
/// come in the order in which they were published, so the next must have exactly the next sequence number.
class Reassembly {
 public:
  explicit Reassembly(ExpectedMessages expected) : expected_(std::move(expected)) {}

  /// Takes the next message. Throws Error{kReconnect} that names the edge and the numbers, and changes nothing: another
  /// mesh, edge, medium, request or manifest; a sequence number that came already or that leaves a gap; a count that
  /// differs from the first message's; a layer that an earlier message called complete.
  void feed(wire::WireMessage message);
  /// Throws what feed() would throw for a message with that envelope.
  void check(const wire::Envelope& envelope) const;
  /// feed() for a message that somebody else keeps: it has come, and take() does not give it.
  void note(const wire::Envelope& envelope);

  /// True once all messages have come.
  bool complete() const { return count_ > 0 && received_ == count_; }

  /// How many have come, of how many; 0 of 0 before the first.
  std::size_t received() const { return received_; }
  std::uint32_t count() const { return count_; }

  /// What has come since the last call, in order.
  std::vector<wire::WireMessage> take() { return std::exchange(messages_, {}); }

 private:
  [[noreturn]] void refuse(const std::string& reason) const;
  void check_addressed_to_us(const wire::Envelope& envelope) const;
  void check_in_order(const wire::Envelope& envelope) const;

  ExpectedMessages expected_;
  std::uint32_t count_ = 0;
  std::size_t received_ = 0;
  std::int32_t layers_complete_ = 0;
  std::vector<wire::WireMessage> messages_;
};

}  // namespace kvmesh::kvcodec
