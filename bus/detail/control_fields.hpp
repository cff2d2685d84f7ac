#pragma once

#include <tuple>

#include "bus/control.hpp"

/// The names that the fields of control messages have on the wire, one list a struct: encoding and decoding both walk
/// it. docs/wire.md lists them too.
namespace kvmesh::bus::detail {

template <typename Owner, typename Value>
struct Field {
  const char* name;
  Value Owner::*member;
  bool required = false;  ///< a message without it is refused
};

template <typename Owner, typename Value>
constexpr Field<Owner, Value> field(const char* name, Value Owner::*member) {
  return {name, member};
}
template <typename Owner, typename Value>
constexpr Field<Owner, Value> required(const char* name, Value Owner::*member) {
  return {name, member, true};
}

/// `kFields<T>` is a tuple of T's fields; `kTypeName<T>` what "type" says of a message T.
template <typename T>
inline constexpr std::tuple<> kFields{};
template <typename T>
inline constexpr const char* kTypeName = nullptr;

template <>
inline constexpr auto kFields<Join> = std::tuple(required("version", &Join::version), field("agent", &Join::agent),
                                                 field("pid", &Join::pid), field("host", &Join::host));
template <>
inline constexpr auto kFields<Assign> = std::tuple(field("mesh", &Assign::mesh),
                                                   field("model_path", &Assign::model_path),
                                                   field("dtype", &Assign::dtype), field("device", &Assign::device),
                                                   field("threads", &Assign::threads),
                                                   field("liveness_ms", &Assign::liveness_ms));
template <>
inline constexpr auto kFields<Hello> = std::tuple(field("manifest", &Hello::manifest),
                                                  field("publish_endpoint", &Hello::publish_endpoint),
                                                  field("memory_host", &Hello::memory_host),
                                                  field("memory_bytes", &Hello::memory_bytes));
template <>
inline constexpr auto kFields<EdgeEnd> = std::tuple(field("spec", &EdgeEnd::spec), field("topic", &EdgeEnd::topic),
                                                    field("manifest", &EdgeEnd::manifest),
                                                    field("endpoint", &EdgeEnd::endpoint),
                                                    field("carries_sink", &EdgeEnd::carries_sink),
                                                    field("shared_memory", &EdgeEnd::shared_memory));
template <>
inline constexpr auto kFields<Edges> = std::tuple(field("inbound", &Edges::inbound),
                                                  field("outbound", &Edges::outbound), field("beside", &Edges::beside),
                                                  field("ready_deadline_ms", &Edges::ready_deadline_ms),
                                                  field("keep_bytes", &Edges::keep_bytes),
                                                  field("waiting_bytes", &Edges::waiting_bytes));
template <>
inline constexpr auto kFields<Ready> = std::tuple(field("weights_fingerprint", &Ready::weights_fingerprint));
template <>
inline constexpr auto kFields<PromptPiece> = std::tuple(field("text", &PromptPiece::text),
                                                        field("from", &PromptPiece::from));
template <>
inline constexpr auto kFields<SamplingOptions> = std::tuple(
    field("temperature", &SamplingOptions::temperature), field("top_k", &SamplingOptions::top_k),
    field("top_p", &SamplingOptions::top_p), field("min_p", &SamplingOptions::min_p),
    field("repetition_penalty", &SamplingOptions::repetition_penalty), field("seed", &SamplingOptions::seed));
template <>
inline constexpr auto kFields<Task> = std::tuple(
    required("request", &Task::request), field("record_index", &Task::record_index), field("prompt", &Task::prompt),
    field("chat", &Task::chat), field("system", &Task::system), field("generate", &Task::generate),
    field("max_tokens", &Task::max_tokens), field("sampling", &Task::sampling), field("stop", &Task::stop),
    field("targets", &Task::targets), field("calibrate", &Task::calibrate), field("search", &Task::search),
    field("sample", &Task::sample), field("samples", &Task::samples), field("deadline_ms", &Task::deadline_ms));
template <>
inline constexpr auto kFields<EdgeReport> = std::tuple(field("from", &EdgeReport::from), field("to", &EdgeReport::to),
                                                       field("medium", &EdgeReport::medium),
                                                       field("layers", &EdgeReport::layers),
                                                       field("bytes", &EdgeReport::bytes));
template <>
inline constexpr auto kFields<SharedLayers> = std::tuple(field("layers", &SharedLayers::layers),
                                                         field("loss", &SharedLayers::loss),
                                                         field("checked", &SharedLayers::checked));
template <>
inline constexpr auto kFields<WireLoss> = std::tuple(field("wire", &WireLoss::wire), field("loss", &WireLoss::loss));
template <>
inline constexpr auto kFields<EdgeScores> =
    std::tuple(field("from", &EdgeScores::from), field("to", &EdgeScores::to), field("scores", &EdgeScores::scores),
               field("path", &EdgeScores::path), field("by_attention", &EdgeScores::by_attention),
               field("checks", &EdgeScores::checks), field("heads", &EdgeScores::heads),
               field("layer_bytes", &EdgeScores::layer_bytes), field("wire", &EdgeScores::wire),
               field("wires", &EdgeScores::wires));
template <>
inline constexpr auto kFields<Result> = std::tuple(required("request", &Result::request),
                                                   required("answer", &Result::answer), field("edges", &Result::edges),
                                                   field("scores", &Result::scores), field("ttft_ms", &Result::ttft_ms),
                                                   field("receiver_ttft_ms", &Result::receiver_ttft_ms),
                                                   field("prefill_tokens", &Result::prefill_tokens),
                                                   field("generated_tokens", &Result::generated_tokens),
                                                   field("flops", &Result::flops),
                                                   field("target_nats", &Result::target_nats));
template <>
inline constexpr auto kFields<TaskError> = std::tuple(required("request", &TaskError::request),
                                                      field("kind", &TaskError::kind),
                                                      field("reason", &TaskError::reason));
template <>
inline constexpr auto kFields<Cancel> = std::tuple(required("request", &Cancel::request));
template <>
inline constexpr auto kFields<Scores> = std::tuple(field("edge", &Scores::edge));
template <>
inline constexpr auto kFields<Lost> = std::tuple(field("agent", &Lost::agent), field("reason", &Lost::reason));
template <>
inline constexpr auto kFields<Progress> = std::tuple(required("request", &Progress::request),
                                                     field("edge", &Progress::edge),
                                                     field("percent", &Progress::percent),
                                                     field("left_s", &Progress::left_s));
template <>
inline constexpr auto kFields<Refused> = std::tuple(field("reason", &Refused::reason));
template <>
inline constexpr auto kFields<Failed> = std::tuple(field("kind", &Failed::kind), field("reason", &Failed::reason));
template <>
inline constexpr auto kFields<Bye> = std::tuple(field("reason", &Bye::reason));

template <>
inline constexpr const char* kTypeName<Join> = "join";
template <>
inline constexpr const char* kTypeName<Assign> = "assign";
template <>
inline constexpr const char* kTypeName<Hello> = "hello";
template <>
inline constexpr const char* kTypeName<Edges> = "edges";
template <>
inline constexpr const char* kTypeName<Ready> = "ready";
template <>
inline constexpr const char* kTypeName<Task> = "task";
template <>
inline constexpr const char* kTypeName<Result> = "result";
template <>
inline constexpr const char* kTypeName<TaskError> = "task_error";
template <>
inline constexpr const char* kTypeName<Cancel> = "cancel";
template <>
inline constexpr const char* kTypeName<Scores> = "scores";
template <>
inline constexpr const char* kTypeName<Lost> = "lost";
template <>
inline constexpr const char* kTypeName<Progress> = "progress";
template <>
inline constexpr const char* kTypeName<Heartbeat> = "heartbeat";
template <>
inline constexpr const char* kTypeName<Refused> = "refused";
template <>
inline constexpr const char* kTypeName<Failed> = "failed";
template <>
inline constexpr const char* kTypeName<Bye> = "bye";

}  // namespace kvmesh::bus::detail
