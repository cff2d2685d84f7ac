#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agents/agent.hpp"
#include "agents/receive/kv_arrivals.hpp"
#include "agents/receive/kv_intake.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// The receiving end of all kv edges of one agent: what the bus delivered goes straight into its request's cache,
/// checked while it is copied there, whether its turn has begun or not. Brings together KvIntake, which may ask for a
/// message again, the Agent, which says what it awaits and learns only of what has been placed, and the KvArrivals of
/// each request. Events in, what is to be done comes out; no socket, no clock. One thread at a time.
class KvReceiver {
 public:
  using Clock = Agent::Clock;

  struct Options {
    std::size_t keep_bytes = 0;  ///< of rows that came, for later requests; 0: nothing is to be offered
    std::vector<bool> borrows;   ///< by inbound edge: frames are the sender's memory; empty: none
    MakeRoom room;               ///< where the caches stand, if it has any
  };
  /// `model` and `agent` outlive this.
  KvReceiver(const llm::Model& model, Agent& agent, Options options);

  /// In the order in which it is to be carried out.
  struct Outcome {
    std::vector<wire::Back> back;  ///< to the sender of the edge
    std::optional<Turn> turn;      ///< as Agent::Outcome
    std::vector<Agent::Failure> failures;
  };

  /// The sender of inbound edge number `edge`, a kv edge, offers; the answer.
  wire::Held on_offer(std::size_t edge, const wire::Offer& offer) { return intake_.on_offer(edge, offer); }
  /// A message on it: [envelope, payload...]. One that is damaged is asked for again where that is possible, and
  /// changes nothing; what else is wrong with it fails its request, or those that wait on the edge, as
  /// Agent::on_message(); where none waits it throws Error that names the edge.
  Outcome on_message(std::size_t edge, std::span<const OwnedBytes> frames, Clock::time_point now);

  /// The request's turn is about to be taken; what came and will come for it. Null where there is nothing of either,
  /// nor a place where its cache must stand.
  std::shared_ptr<KvArrivals> begin(const std::string& request);
  /// The request is over before its turn has ended. True where that was given begin()'s arrivals: they pass `error` on,
  /// and the turn reports its end itself.
  bool fail(const std::string& request, const Error& error);
  void on_turn_end(const std::string& request);
  /// Every turn that waits for rows is given `error`.
  void fail_all(const Error& error);

  /// Bytes of rows that are kept.
  std::size_t kept_bytes() const { return intake_.kept_bytes(); }

 private:
  struct Request {
    std::shared_ptr<KvArrivals> arrivals;
    bool begun = false;
  };

  void take_in(std::size_t edge, const KvIntake::Incoming& incoming, Clock::time_point now, Outcome& outcome);
  bool admit(std::size_t edge, const wire::Envelope& envelope, Outcome& outcome);
  void place(std::size_t edge, const KvIntake::Incoming& incoming);
  void repair(std::size_t edge, const wire::Envelope& envelope, const Error& damage, Outcome& outcome);
  void give_up(const std::string& request, const Error& error, Outcome& outcome);
  Request& open(const std::string& request);

  const llm::Model& model_;
  Agent& agent_;
  const Options options_;
  KvIntake intake_;
  std::map<std::string, Request> requests_;
};

}  // namespace kvmesh::agents
