#include "kvcodec/wire/edge_spec.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "kvcodec/wire/detail/json.hpp"

namespace kvmesh::wire {
namespace {

using nlohmann::json;

template <typename Enum, std::size_t Size>
using Names = std::array<std::pair<Enum, const char*>, Size>;

constexpr Names<Medium, 4> kMediumNames{{{Medium::kKv, "kv"},
                                         {Medium::kText, "text"},
                                         {Medium::kEmbedding, "embedding"},
                                         {Medium::kActivation, "activation"}}};
constexpr Names<LayerChoice::Kind, 6> kChoiceNames{{{LayerChoice::Kind::kRatio, "ratio"},
                                                    {LayerChoice::Kind::kTop, "top"},
                                                    {LayerChoice::Kind::kExplicit, "explicit"},
                                                    {LayerChoice::Kind::kAll, "all"},
                                                    {LayerChoice::Kind::kRandom, "random"},
                                                    {LayerChoice::Kind::kContiguous, "contiguous"}}};
constexpr Names<Share, 2> kShareNames{{{Share::kPrompt, "prompt"}, {Share::kPromptAndOutput, "prompt+output"}}};
constexpr Names<Combine, 3> kCombineNames{
    {{Combine::kReplace, "replace"}, {Combine::kSum, "sum"}, {Combine::kMean, "mean"}}};
constexpr Names<Mask, 2> kMaskNames{{{Mask::kCausal, "causal"}, {Mask::kAuthors, "authors"}}};
constexpr Names<Positions, 3> kPositionsNames{
    {{Positions::kContinue, "continue"}, {Positions::kCompact, "compact"}, {Positions::kOverlap, "overlap"}}};
constexpr Names<WireDtype, 5> kWireDtypeNames{{{WireDtype::kSame, "same"},
                                               {WireDtype::kBFloat16, "bf16"},
                                               {WireDtype::kFloat16, "fp16"},
                                               {WireDtype::kInt8, "int8"},
                                               {WireDtype::kInt4, "int4"}}};
constexpr Names<Transport, 3> kTransportNames{
    {{Transport::kAuto, "auto"}, {Transport::kShm, "shm"}, {Transport::kZmq, "zmq"}}};

template <typename Enum, std::size_t Size>
std::string name_of(const Names<Enum, Size>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  throw Error(ErrorKind::kGiveUp, cat("an edge setting with the number ", static_cast<int>(value), " has no name"));
}

template <typename Enum, std::size_t Size>
Enum value_of(const Names<Enum, Size>& names, const detail::JsonFields& fields, const char* key) {
  const std::string text = fields.string(key);
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  fields.refuse(cat("field \"", key, "\" has the unknown value \"", text, "\""));
}

json layers_to_json(const LayerChoice& choice) {
  return {{"kind", name_of(kChoiceNames, choice.kind)},
          {"ratio", choice.ratio},
          {"top", choice.top},
          {"layers", choice.layers},
          {"seed", choice.seed},
          {"alpha", choice.alpha},
          {"mu", choice.mu},
          {"sigma", choice.sigma}};
}

LayerChoice layers_from_json(const json& object) {
  const detail::JsonFields fields(object, "layers of an edge");
  LayerChoice choice;
  choice.kind = value_of(kChoiceNames, fields, "kind");
  choice.ratio = fields.number("ratio");
  choice.top = fields.integer<int>("top", 0);
  for (const json& layer : fields.array("layers", /*max_size=*/65536)) {
    choice.layers.push_back(fields.to_integer<int>("layers", layer, 0));
  }
  choice.seed = fields.integer<std::uint64_t>("seed");
  choice.alpha = fields.number("alpha");
  choice.mu = fields.number("mu");
  choice.sigma = fields.number("sigma");
  return choice;
}

}  // namespace

std::string to_string(Medium medium) { return name_of(kMediumNames, medium); }

std::optional<Medium> find_medium(const std::string& name) {
  for (const auto& [medium, candidate] : kMediumNames) {
    if (candidate == name) return medium;
  }
  return std::nullopt;
}

std::string to_string(WireDtype dtype) { return name_of(kWireDtypeNames, dtype); }

std::optional<WireDtype> find_wire_dtype(const std::string& name) {
  for (const auto& [dtype, candidate] : kWireDtypeNames) {
    if (candidate == name) return dtype;
  }
  return std::nullopt;
}

std::string describe(const EdgeSpec& edge) {
  return cat(edge.from, " -> ", edge.to, " (", to_string(edge.medium), ")");
}

std::string to_json(const EdgeSpec& edge) {
  return detail::dump_json({{"from", edge.from},
                            {"to", edge.to},
                            {"medium", to_string(edge.medium)},
                            {"layers", layers_to_json(edge.layers)},
                            {"share", name_of(kShareNames, edge.share)},
                            {"forward", edge.forward},
                            {"recalibrate_every", edge.recalibrate_every},
                            {"mask", name_of(kMaskNames, edge.mask)},
                            {"positions", name_of(kPositionsNames, edge.positions)},
                            {"wire", name_of(kWireDtypeNames, edge.wire)},
                            {"transport", name_of(kTransportNames, edge.transport)},
                            {"max_tokens", edge.max_tokens},
                            {"temperature", edge.temperature},
                            {"from_layer", edge.from_layer},
                            {"to_layer", edge.to_layer},
                            {"combine", name_of(kCombineNames, edge.combine)}});
}

EdgeSpec edge_spec_from_json(const std::string& text) {
  const json object = detail::parse_json(text, "edge");
  const detail::JsonFields fields(object, "edge");
  EdgeSpec edge;
  edge.from = fields.string("from");
  edge.to = fields.string("to");
  edge.medium = value_of(kMediumNames, fields, "medium");
  edge.layers = layers_from_json(fields.member("layers"));
  edge.share = value_of(kShareNames, fields, "share");
  edge.forward = fields.boolean("forward");
  edge.recalibrate_every = fields.integer<int>("recalibrate_every", 0);
  edge.mask = value_of(kMaskNames, fields, "mask");
  edge.positions = value_of(kPositionsNames, fields, "positions");
  edge.wire = value_of(kWireDtypeNames, fields, "wire");
  edge.transport = value_of(kTransportNames, fields, "transport");
  edge.max_tokens = fields.integer<int>("max_tokens");
  edge.temperature = fields.number("temperature");
  edge.from_layer = fields.integer<int>("from_layer");
  edge.to_layer = fields.integer<int>("to_layer");
  edge.combine = value_of(kCombineNames, fields, "combine");
  return edge;
}

}  // namespace kvmesh::wire
