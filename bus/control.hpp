#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/sampling_options.hpp"

/// What the orchestrator and the agents say to each other, in the order in which it happens:
///   agent -> orchestrator: join; <- assign; -> hello; <- edges; -> ready; <- task, -> result or task_error;
///   <- bye, -> bye
/// and at any time heartbeat (both ways), cancel and scores (to an agent), lost, progress and failed (from one),
/// refused (to one). On the wire each is JSON, {"type": ..., ..., "xxh3": ...}, sealed by its checksum; see
/// docs/wire.md. Unknown keys are skipped. Missing ones take the value that stands here, but for those that
/// bus/detail/control_fields.hpp calls required. Texts that other rooms own (an edge's spec, a manifest) are JSON in a
/// string.
namespace kvmesh::bus {

inline constexpr int kControlVersion = 2;
inline constexpr std::size_t kMaxControlBytes = std::size_t{256} << 20;
inline constexpr int kMaxControlDepth = 16;
/// Requests that a mesh works on at the same time, at most: what each of its agents keeps room for.
inline constexpr std::size_t kMaxRequestsInFlight = 8;

/// "Here I am." The first message of an agent.
struct Join {
  int version = kControlVersion;
  std::string agent;
  std::int64_t pid = 0;
  std::string host;
};

/// "This is what you are." Paths are as the orchestrator's host sees them.
struct Assign {
  std::string mesh;
  std::string model_path;
  std::string dtype;                  ///< compute dtype: "auto", "fp32", "bf16", "fp16"
  std::string device;                 ///< "cpu", "cuda:0"
  int threads = 0;                    ///< compute threads; 0: its share of its host's cores, see Edges::beside
  std::int64_t liveness_ms = 10'000;  ///< after how long a silence the other is taken for dead
};

/// "This is what my model can share", before its weights are read.
struct Hello {
  std::string manifest;            ///< kvcodec/wire's Manifest as JSON
  std::string publish_endpoint;    ///< where others subscribe
  std::string memory_host;         ///< equal for agents that can share memory; empty: with nobody
  std::uint64_t memory_bytes = 0;  ///< that the agent may use where it runs; 0: it cannot say
};

struct EdgeEnd {
  std::string spec;  ///< kvcodec/wire's EdgeSpec as JSON
  std::string topic;
  std::string manifest;        ///< of the agent at the other end
  std::string endpoint;        ///< inbound edges: the sender's publisher; empty on outbound ones
  bool carries_sink = true;    ///< kv: this sender is the receiver's first, its first token is the sink
  bool shared_memory = false;  ///< kv: payload goes through shared memory
};

/// "This is whom you hear and who hears you, and this is your part of your host's memory." Inbound edges in declared
/// order.
struct Edges {
  std::vector<EdgeEnd> inbound;
  std::vector<EdgeEnd> outbound;
  int beside = 1;  ///< agents of this one's host, itself too, that compute at the same time and share its cores
  std::int64_t ready_deadline_ms = 0;                    ///< from receipt until ready; 0: none
  std::uint64_t keep_bytes = 0;                          ///< of requests that are over; 0: nothing is kept
  std::uint64_t waiting_bytes = std::uint64_t{1} << 30;  ///< of messages that wait for others
};

/// "Weights are read, my subscriptions stand, and my publisher has seen every one of my receivers."
struct Ready {
  std::string weights_fingerprint;
};

/// One piece of a prompt: text as it stands, or the place of what the sender `from` says.
struct PromptPiece {
  std::string text;
  std::string from;  ///< empty for text
  bool operator==(const PromptPiece&) const = default;
};

/// "Do your part of this record." Sent to every agent at once; each waits for its inbound edges by itself.
struct Task {
  std::string request;             ///< unique within a mesh's life
  std::uint64_t record_index = 0;  ///< of the input record, from 0; seeds random layers
  std::vector<PromptPiece> prompt;
  bool chat = true;       ///< the prompt is a user turn of the chat template
  std::string system;     ///< a system message before that turn; empty: none
  bool generate = false;  ///< an answer is wanted
  int max_tokens = 0;
  SamplingOptions sampling;
  std::vector<std::string> stop;  ///< the answer ends before the first of these
  /// Right answers: what the best of them would cost is wanted, see Result::target_nats. Empty: nothing of this kind.
  std::vector<std::string> targets;
  bool calibrate = false;  ///< share every layer and measure the attention on each kv edge
  /// Of a calibrating task: senders whose edges into this agent are searched by loss, once the last of `samples` tasks
  /// has come; this is number `sample`, from 0. Empty: nothing is.
  std::vector<std::string> search;
  int sample = 0;
  int samples = 1;
  std::int64_t deadline_ms = 0;  ///< from receipt; 0: none
};

/// What one edge carried for one request, as its sender counts it.
struct EdgeReport {
  std::string from;
  std::string to;
  std::string medium;
  std::string layers;       ///< kv: "2 of 8 + layer 0"; otherwise empty
  std::uint64_t bytes = 0;  ///< every frame of every message, topic and envelope included
};

/// The best set of receiver layers of its size that a search by loss found.
struct SharedLayers {
  std::vector<int> layers;  ///< ascending
  double loss = 0;          ///< mean nats of the targets of the records that chose it
  double checked = 0;       ///< the same of the records that check the choice; 0 without such records
  bool operator==(const SharedLayers&) const = default;
};

/// What shared rows cost in a form of fewer bits.
struct WireLoss {
  std::string wire;  ///< "int4"
  double loss = 0;   ///< as SharedLayers::checked, or, where no record checks, as SharedLayers::loss
  bool operator==(const WireLoss&) const = default;
};

/// What was measured on one kv edge (docs/method.md).
struct EdgeScores {
  std::string from;
  std::string to;
  std::vector<double> scores;           ///< attention of the receiver, a number for each of its layers, not normalised
  std::vector<SharedLayers> path = {};  ///< by loss, the smallest set first; empty: no search was asked for
  /// To compare with `path`, and empty as that: the best layers by attention, each time with layer 0, of about ten
  /// sizes.
  std::vector<SharedLayers> by_attention = {};
  int checks = 0;                    ///< records that check, the last of those that were measured on
  int heads = 0;                     ///< not 0: the numbers in `path` are KV heads, layer * heads + head; else layers
  double layer_bytes = 0;            ///< of one token at one layer, as it travels on this edge
  std::string wire = {};             ///< of an edge that says `wire: auto`: what numbers are to travel as; else empty
  std::vector<WireLoss> wires = {};  ///< what that was chosen by, "same" first
};

struct Result {
  std::string request;
  std::optional<std::string> answer;  ///< none: this agent was not asked to generate; always on the wire, null then
  std::vector<EdgeReport> edges;      ///< outbound
  std::vector<EdgeScores> scores;     ///< of a calibrating task, inbound kv edges
  double ttft_ms = 0;                 ///< from the task's receipt to the first generated token
  double receiver_ttft_ms = 0;        ///< from the arrival of the last thing it waited for to that token
  std::uint64_t prefill_tokens = 0;
  std::uint64_t generated_tokens = 0;
  double flops = 0;  ///< counted from shapes (docs/method.md)
  /// What the cheapest spelling of Task::targets costs behind the prompt, in nats; none where there were none, and from
  /// an agent that does not know them. Takes no part in the times and operations above.
  std::optional<double> target_nats;
};

/// "I cannot do this record." The mesh goes on.
struct TaskError {
  std::string request;
  ErrorKind kind = ErrorKind::kGiveUp;
  std::string reason;
};

/// "Stop that request, nobody waits for it any more."
struct Cancel {
  std::string request;
};

/// "From the next task on, these are the scores of this edge." Goes to the edge's sender, which selects the layers.
struct Scores {
  EdgeScores edge;
};

/// "What I sent to that agent did not reach it." It may have died, which the orchestrator hears from others; the one
/// who says this lives on.
struct Lost {
  std::string agent;
  std::string reason;
};

/// "So far has the search of layers come." For tasks that ask for one, whose sender knows this message.
struct Progress {
  std::string request;
  std::string edge;   ///< "reader -> solver (kv)"
  int percent = 0;    ///< of the work on this edge, at most
  double left_s = 0;  ///< until it ends, as it looks now
};

struct Heartbeat {};

/// "You may not take part", with the reason; the agent prints it and exits.
struct Refused {
  std::string reason;
};

/// "I cannot go on", with the reason; the agent exits.
struct Failed {
  ErrorKind kind = ErrorKind::kGiveUp;
  std::string reason;
};

/// "We are done." Answered in kind by an agent before it exits.
struct Bye {
  std::string reason;
};

using Control = std::variant<Join, Assign, Hello, Edges, Ready, Task, Result, TaskError, Cancel, Scores, Lost, Progress,
                             Heartbeat, Refused, Failed, Bye>;

/// One JSON object with its checksum; text that is not UTF-8 has its bad bytes replaced by U+FFFD.
OwnedBytes encode_control(const Control& message);

/// Throws Error{kReconnect}: damaged on the way, not JSON, nested too deeply, longer than kMaxControlBytes, an unknown
/// type, a field that is missing or of a wrong type, something needed that this build does not know. The text of the
/// error names the type and the field. What another version says first is read without a checksum: a join, so that it
/// can be refused by its version, and the refusal.
Control decode_control(const OwnedBytes& body);

}  // namespace kvmesh::bus
