#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agents/turns/turn.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "base/deadline.hpp"
#include "bus/control.hpp"
#include "kvcodec/reassembly.hpp"

namespace kvmesh::agents {

/// What an agent waits for, and when its turns begin: a plain state machine. Events go in with the time they happened,
/// turns and failures come out; no socket, no clock, no thread.
///
/// A turn begins when all messages of the other media are there, and of each kv edge the first: then the position of
/// the agent's own tokens is known, and it can compute layer by layer as rows come. Until the last of them has come the
/// request stays open, so that its deadline and damaged messages still count. Rows are not its own to keep: whoever
/// places them (KvReceiver) asks it before, and tells it after.
///
/// Several requests may be on their way at once, each with an inbox and a deadline of its own. A fast sender's messages
/// may come before the task that they are for. They are kept, for at most kMaxEarlyRequests requests; beyond that the
/// message is refused, which its caller reports.
class Agent {
 public:
  using Clock = Turn::Clock;
  static constexpr std::size_t kMaxEarlyRequests = bus::kMaxRequestsInFlight;

  /// A request that cannot be done, for the orchestrator.
  struct Failure {
    std::string request;
    ErrorKind kind;
    std::string reason;
  };
  /// What an event led to, in the order in which it is to be carried out.
  struct Outcome {
    std::optional<Turn> turn;  ///< what it needs to begin is there: take it
    std::vector<Failure> failures;
  };

  Agent() = default;
  explicit Agent(Wiring wiring);

  const Wiring& wiring() const { return wiring_; }

  Outcome on_task(bus::Task task, Clock::time_point now);
  /// A message on inbound edge number `edge`, not a kv edge: [envelope, payload...]. One that is damaged, out of order
  /// or not for this edge fails the request that it names, and where that cannot be read, or does not wait on the edge,
  /// every request that does: one of them will never be whole. Where none waits it throws Error that names the edge.
  Outcome on_message(std::size_t edge, const std::vector<OwnedBytes>& frames, Clock::time_point now);

  /// Does a request wait for that message next? False: the request is over, and what comes for it is dropped. Throws
  /// Error{kReconnect} for one that is out of order or not for this edge, and for too many requests before their tasks.
  /// Changes nothing.
  bool awaits(std::size_t edge, const wire::Envelope& envelope) const;
  /// A message of kv edge `edge` that it awaits: its rows have been placed.
  Outcome on_rows(std::size_t edge, const wire::Envelope& envelope, Clock::time_point now);
  /// A message that was read, but cannot be taken; whom that fails as on_message().
  Outcome on_refused(std::size_t edge, const std::string& request, const Error& error);
  /// Something came over the edge that cannot be read at all.
  Outcome on_damage(std::size_t edge, const Error& error);
  /// The connection that `edge` is heard over broke and was made anew: messages may be lost, and no later one need show
  /// it. Fails every request that still waits on the edge.
  Outcome on_renewed(std::size_t edge);
  void on_cancel(const std::string& request);
  /// The request's turn has ended, well or not; what still comes for it is dropped.
  void on_turn_end(const std::string& request);
  /// Scores for every outbound kv edge to `scores.to`, from the next turn on. Throws Error for an edge that is not
  /// ours.
  void on_scores(const bus::EdgeScores& scores);
  /// Requests whose deadline has passed while they waited, with the edges that nothing came over.
  std::vector<Failure> expire(Clock::time_point now);
  /// The next moment at which expire() can have something to say.
  std::optional<Clock::time_point> next_deadline() const;

 private:
  struct Request {
    std::optional<bus::Task> task;
    std::vector<kvcodec::Reassembly> inbox;
    Clock::time_point received_at{};
    std::optional<Deadline> deadline;
    bool begun = false;  ///< its turn is being taken
  };

  Request& open(const std::string& request);
  Outcome begin_if_ready(const std::string& request, Clock::time_point now);
  void close(const std::string& request);
  bool closed(const std::string& request) const;
  Outcome fail_waiting(std::size_t edge, const Error& error, const std::string& named);

  Wiring wiring_;
  std::map<std::string, Request> requests_;
  std::deque<std::string> closed_;  ///< lately: what still arrives for them is dropped
};

}  // namespace kvmesh::agents
