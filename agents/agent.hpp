#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agents/receive/receiving_request.hpp"
#include "agents/turns/turn.hpp"
#include "agents/wiring.hpp"
#include "base/bytes.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// What an agent waits for, and when its turns begin: a plain state machine. Events go in with the time they happened,
/// turns and failures come out; no socket, no clock, no thread of its own. One thread at a time.
///
/// A turn begins when all messages of the other media are there, and of each kv edge the first: then the position of
/// the agent's own tokens is known, and it can compute layer by layer as rows come, which go straight into its cache.
/// Until the last of them has come its deadline and damaged messages still count.
///
/// Several requests may be on their way at once (ReceivingRequest), each with an end of its own. What is wrong with a
/// message fails the request that it names, whether its task has come or not, and no other. A fast sender's messages
/// may come before the task that they are for. They are kept, for at most kMaxEarlyRequests requests; a message of one
/// more fails its request.
class Agent {
 public:
  using Clock = Turn::Clock;
  static constexpr std::size_t kMaxEarlyRequests = bus::kMaxRequestsInFlight;

  /// A request that cannot be done, for the orchestrator.
  struct Failure {
    std::string request;
    ErrorKind kind;
    std::string reason;
    bool turn_tells = false;  ///< its turn is being taken, ends with this, and says so itself
  };
  /// What an event led to, in the order in which it is to be carried out.
  struct Outcome {
    std::vector<wire::Back> back;  ///< to the sender of the edge that the message came over
    std::optional<Turn> turn;      ///< what it needs to begin is there: take it
    std::vector<Failure> failures;
  };

  explicit Agent(Wiring wiring, ReceiveOptions options = {});
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  const Wiring& wiring() const { return wiring_; }

  Outcome on_task(bus::Task task, Clock::time_point now);
  /// A message on inbound edge number `edge`: [envelope, payload...].
  Outcome on_message(std::size_t edge, const std::vector<OwnedBytes>& frames, Clock::time_point now);
  /// Something came over the edge that does not say which request it is of. Every request that waits on the edge fails:
  /// one of them will never be whole. Where none waits it is the next whose task comes, unless its messages came.
  Outcome on_damage(std::size_t edge, const Error& error);
  /// The connection that `edge` is heard over broke and was made anew: messages may be lost, and no later one need show
  /// it. Fails every request that still waits on the edge.
  Outcome on_renewed(std::size_t edge);
  /// The sender of inbound edge number `edge`, a kv edge, offers; the answer, which is empty for a request that is over
  /// or that there is no room for before its task.
  wire::Held on_offer(std::size_t edge, const wire::Offer& offer);
  /// Nobody waits for the request any more. Its turn, if it has begun, ends at its next layer or token.
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
  /// The agent is leaving: every turn that waits for rows is given `error`.
  void fail_all(const Error& error);

  /// Bytes of rows that are kept for later requests.
  std::size_t kept_bytes() const { return receiving_.kept.bytes(); }

 private:
  using Requests = std::map<std::string, ReceivingRequest>;

  bool has_room_before_task(const std::string& request) const;
  ReceivingRequest& open(const std::string& request);
  void close(const std::string& request);
  bool closed(const std::string& request) const;
  void fail(const std::string& request, const Error& error, std::vector<Failure>& failures);
  Outcome refuse_unreadable(std::size_t edge, const std::vector<OwnedBytes>& frames, const Error& error);
  Error named(std::size_t edge, const Error& error) const;

  Wiring wiring_;
  Receiving receiving_;
  Requests requests_;
  std::deque<std::string> closed_;       ///< lately: what still arrives for them is dropped
  std::map<std::size_t, Error> unread_;  ///< by edge: what nobody waited for and could not be read
};

}  // namespace kvmesh::agents
