#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/deadline.hpp"
#include "bus/control.hpp"
#include "bus/endpoint.hpp"
#include "bus/liveness.hpp"
#include "kvcodec/wire/manifest.hpp"
#include "orchestrator/deadlines.hpp"
#include "orchestrator/memory_shares.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/record_outcome.hpp"
#include "orchestrator/running_record.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// What the supervisor wants done, in this order.
struct SendControl {
  std::string peer;
  bus::Control message;
};
/// Every agent is ready: records may come.
struct MeshReady {
  Fingerprints models;
};
struct RecordDone {
  RecordOutcome outcome;
};
/// The mesh is over; nothing but SendControl follows.
struct MeshFailed {
  ErrorKind kind;
  std::string reason;
};
/// After say_bye(): no agent is left to wait for.
struct AllGone {};
/// Something that whoever watches may want to know.
struct Note {
  std::string text;
};
/// "layers of reader -> solver (kv): 40% of the search, about 12 s left".
std::string describe(const bus::Progress& progress);
using Action = std::variant<SendControl, MeshReady, RecordDone, MeshFailed, AllGone, Note>;
using Actions = std::vector<Action>;

struct SupervisorOptions {
  int threads = 0;               ///< what agents are assigned
  bool several_records = false;  ///< on their way at the same time, so that all agents compute at the same time
  bool children = false;         ///< agents are our child processes, whose end on_exit() tells
  std::chrono::milliseconds liveness = bus::Liveness::kTimeout;  ///< of silence, after which an agent is lost
  Deadlines deadlines;
};

/// Brings the agents of a topology together, records through them, and to an end. Decides and does
/// nothing: events go in with the time at which they happened, actions come out. No socket, no process, no clock.
///
/// An agent is expected, has joined, has said hello, was sent its edges, is ready, is gone. Whatever is wrong with one
/// record fails that record; whatever is wrong with an agent fails the mesh, with the agent's name.
class Supervisor {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  /// `topology` outlives the supervisor. The time for joining runs from `now`.
  Supervisor(const Topology& topology, SupervisorOptions options, Time now);

  Actions on_message(const std::string& peer, const bus::Control& message, Time now);
  /// Part of a long message has come: its sender lives.
  Actions on_coming(const std::string& peer, Time now);
  /// A message that could not be read, or that its peer has no room for.
  Actions on_broken(const std::string& peer, const std::string& reason, Time now);
  /// The peer's connection has ended.
  Actions on_gone(const std::string& peer, Time now);
  /// An agent that runs as our child has ended; `how` is "was killed by signal 9", `killed` tells that from an exit.
  Actions on_exit(const std::string& agent, std::int64_t pid, bool killed, const std::string& how, Time now);
  Actions on_time(Time now);
  /// When on_time() is to be called next, at the latest.
  Time next_wakeup() const;

  /// Sends a record to every agent, beside those that are on their way. Only while ready().
  Actions submit(const RecordTasks& record, Time now);
  /// Sends scores to the edge's sender. Only while ready().
  Actions install(const bus::EdgeScores& scores, Time now);
  /// Ends the mesh in peace; records on their way are forgotten.
  Actions say_bye(const std::string& reason, Time now);
  /// Ends the mesh because of something outside of it, such as a signal.
  Actions fail(ErrorKind kind, const std::string& reason, Time now);

  bool ready() const { return phase_ == Phase::kReady; }
  bool over() const { return phase_ == Phase::kFailed; }
  /// Of the agents that are ready.
  Fingerprints models() const;

 private:
  enum class Phase { kStarting, kReady, kStopping, kFailed };
  enum class State { kExpected, kJoined, kHello, kEdgesSent, kReady, kGone };

  struct Member {
    explicit Member(Deadline join) : deadline(join) {}
    State state = State::kExpected;
    std::string peer;
    std::int64_t pid = 0;
    std::string host;
    wire::Manifest manifest;
    std::string endpoint;
    std::string memory_host;
    std::uint64_t memory_bytes = 0;
    std::string weights;                    ///< their fingerprint, once it is ready
    std::optional<bus::Liveness> liveness;  ///< from the join on
    Deadline deadline;                      ///< for the next state, while starting
    /// It has ended; its last words, or how its process ended, may still be on their way, and say more than `end`.
    std::optional<Deadline> last_words;
    std::string end;
  };

  /// What an agent said of another that it cannot reach: a death, if the other is not heard any more, which is then
  /// named; and the end of what connects the two, if it is.
  struct Report {
    std::string reporter;
    std::string about;
    std::string reason;
    Time since;
  };

  void handle(const std::string& peer, const bus::Join& join, Time now);
  void handle(const std::string& name, Member& member, const bus::Control& message, Time now);
  void on_hello(const std::string& name, Member& member, const bus::Hello& hello, Time now);
  void on_ready(const std::string& name, Member& member, const bus::Ready& ready);
  void on_result(const std::string& name, const bus::Result& result, Time now);
  std::vector<RunningRecord>::iterator find_record(const std::string& request);
  void check_records(Time now);
  void on_progress(const bus::Progress& progress, Time now);
  void on_task_error(const std::string& name, const bus::TaskError& error, Time now);
  void on_lost(const std::string& name, const bus::Lost& lost, Time now);
  void on_bye(const std::string& name, Member& member, Time now);
  void refuse(const std::string& peer, const std::string& reason);
  void check_and_connect(Time now);
  bus::Edges edges_of(const std::string& agent) const;
  std::map<std::string, MemoryShare> memory_shares() const;
  bool on_one_host(const Edge& edge) const;
  int computing_beside(const std::string& agent) const;
  bus::EdgeEnd edge_end(const Edge& edge, const std::string& other, bool inbound) const;
  void check_deadlines(Time now);
  void check_starting(Time now);
  void check_members(Time now);
  void check_reports(Time now);
  void give_up(const RunningRecord& record, const std::string& error, Time now);
  void break_mesh(ErrorKind kind, const std::string& reason, Time now);
  void leave(Member& member);
  void send(Member& member, const bus::Control& message, Time now);
  bool all(State state) const;
  /// "agent solver (pid 17)".
  std::string name_of(const std::string& name) const;
  /// " while working on record q3", or on records q3, q4.
  std::string meanwhile() const;
  /// What an agent says of itself, without "agent NAME: " before it.
  static std::string without_name(const std::string& name, const std::string& reason);
  Actions take();

  const Topology& topology_;
  SupervisorOptions options_;
  Phase phase_ = Phase::kStarting;
  std::map<std::string, Member> members_;
  std::map<std::string, std::string> agent_of_peer_;
  std::vector<RunningRecord> records_;  ///< on their way, in the order in which they were submitted
  std::vector<Report> reports_;         ///< held until they are proved or disproved; one for each pair of agents
  Deadline bye_deadline_;
  Actions actions_;
};

}  // namespace kvmesh::orchestrator
