#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/receive/kv_arrivals.hpp"
#include "agents/turns/turn.hpp"
#include "agents/wiring.hpp"
#include "base/byte_budget.hpp"
#include "base/deadline.hpp"
#include "bus/control.hpp"
#include "kvcodec/kept_blocks.hpp"
#include "kvcodec/reassembly.hpp"
#include "kvcodec/wire/reuse.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// How an agent receives.
struct ReceiveOptions {
  const llm::Model* model = nullptr;  ///< outlives the agent; null: for one that no kv edge leads to
  MakeRoom room;                      ///< where the caches stand, if it has any
  std::vector<bool> borrows;          ///< by inbound edge: frames are the sender's memory; empty: none
  std::size_t keep_bytes = 0;         ///< of rows that came, for later requests; 0: nothing is to be offered
  std::size_t waiting_bytes = std::numeric_limits<std::size_t>::max();  ///< of messages that wait for others
};

/// What the requests of one agent have in common on their way in. Outlives them.
struct Receiving {
  const Wiring& wiring;
  const ReceiveOptions options;
  kvcodec::KeptBlocks kept{options.keep_bytes};
  ByteBudget waiting{options.waiting_bytes};
};

/// One request on its way into an agent: its task, what came for it over each inbound edge, the cache that rows go
/// straight into, and what its senders were asked to send again. A plain state machine: no socket, no clock. One thread
/// at a time.
///
/// A message on a kv edge whose rows are damaged, or that refers to rows which are not here, is asked for once more
/// where its sender offers what it is about to send; those behind it wait, so that rows are placed in order. It has
/// changed nothing. Whatever else is wrong with a message means that the request will never be whole.
///
/// Bound: Receiving::waiting, of what came before the turn could begin and of what waits behind a message that was
/// asked for again.
class ReceivingRequest {
 public:
  using Clock = Turn::Clock;

  ReceivingRequest(Receiving& common, std::string name);

  void on_task(bus::Task task, Clock::time_point now);
  /// The sender of inbound edge number `edge`, a kv edge, offers; the answer. From now on it can be asked again.
  wire::Held on_offer(std::size_t edge, const wire::Offer& offer);
  /// A message on an inbound edge, as wire::read_message() gives it. Gives what its sender is to be told. Throws Error
  /// that names the edge where the request will not be whole: the message is out of order, not for this edge, damaged
  /// for good, or has no room.
  std::vector<wire::Back> on_message(std::size_t edge, wire::WireMessage message);

  /// Its turn, once: when the task has come, all messages of the other media, and of each kv edge the first.
  std::optional<Turn> begin(Clock::time_point now);
  /// It is over before its turn has ended: a turn that has begun is given `error`.
  void fail(const Error& error);
  /// The same, and nobody waits for the turn's answer either.
  void cancel();

  bool has_task() const { return task_.has_value(); }
  bool begun() const { return begun_; }
  std::size_t received(std::size_t edge) const { return edges_.at(edge).inbox.received(); }
  /// Something is still to come over that edge.
  bool waits_on(std::size_t edge) const { return !edges_.at(edge).inbox.complete(); }
  /// Until when what it waits for must have come; none: nothing is awaited, or for as long as it takes.
  std::optional<Deadline> deadline() const;
  /// The edges that something is still to come over, with numbers.
  std::string missing() const;

 private:
  struct Incoming {
    wire::WireMessage message;
    bool checked = false;  ///< its payload was found whole while it waited
  };
  struct Waiting {
    Incoming incoming;
    ByteBudget::Claim claim;
  };
  struct Edge {
    kvcodec::Reassembly inbox;
    std::optional<kvcodec::KeptBlocks::Promise> promise;  ///< its sender offered, and can be asked again
    std::optional<std::uint32_t> awaited;                 ///< the message that was asked for again
    std::list<Waiting> behind;                            ///< that one
  };

  bool is_kv(std::size_t edge) const;
  bool whole() const;
  ByteBudget::Claim claim(std::size_t edge, const wire::WireMessage& message);
  void wait_behind(std::size_t edge, wire::WireMessage message);
  void take_text(std::size_t edge, wire::WireMessage message);
  void take_rows(std::size_t edge, const Incoming& incoming, std::vector<wire::Back>& back);
  void place(std::size_t edge, const Incoming& incoming);
  wire::Again ask_again(Edge& edge, const wire::Envelope& envelope, const wire::DamagedMessage& damage) const;
  KvArrivals& arrivals();

  Receiving& common_;
  const std::string name_;
  std::optional<bus::Task> task_;
  Clock::time_point received_at_{};
  std::optional<Deadline> deadline_;
  std::vector<Edge> edges_;
  std::vector<ByteBudget::Claim> early_;  ///< of what came before the turn could begin
  std::shared_ptr<KvArrivals> arrivals_;
  std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
  bool begun_ = false;
};

}  // namespace kvmesh::agents
