#include "kvcodec/wire/edge_spec.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "kvcodec/wire/detail/json.hpp"
#include "kvcodec/wire/edge_options.hpp"

namespace kvmesh::wire {
namespace {

using nlohmann::json;

template <typename Enum, std::size_t Size>
using Names = std::array<std::pair<Enum, const char*>, Size>;

constexpr Names<Medium, 4> kMediumNames{{{Medium::kKv, "kv"},
                                         {Medium::kText, "text"},
                                         {Medium::kEmbedding, "embedding"},
                                         {Medium::kActivation, "activation"}}};
constexpr Names<LayerChoice::Kind, 8> kChoiceNames{{{LayerChoice::Kind::kRatio, "ratio"},
                                                    {LayerChoice::Kind::kTop, "top"},
                                                    {LayerChoice::Kind::kBytesPerToken, "bytes_per_token"},
                                                    {LayerChoice::Kind::kExplicit, "explicit"},
                                                    {LayerChoice::Kind::kAll, "all"},
                                                    {LayerChoice::Kind::kRandom, "random"},
                                                    {LayerChoice::Kind::kContiguous, "contiguous"},
                                                    {LayerChoice::Kind::kHeads, "heads"}}};
constexpr Names<By, 2> kByNames{{{By::kLoss, "loss"}, {By::kAttention, "attention"}}};
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

/// The place of a choice's word among its names.
std::size_t place_of(const EdgeOption::Choice& choice, const detail::JsonFields& fields, const std::string& key) {
  const std::string text = fields.string(key);
  const auto found = std::find(choice.names.begin(), choice.names.end(), text);
  if (found == choice.names.end()) fields.refuse(cat("field \"", key, "\" has the unknown value \"", text, "\""));
  return static_cast<std::size_t>(found - choice.names.begin());
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

/// What a reader must know who is to take layers by loss, or single heads.
constexpr const char *kNeedsLoss = "loss", *kNeedsHeads = "heads";

constexpr std::size_t kMaxChosen = 65536;  // layers, or heads of one

std::vector<int> numbers_from_json(const detail::JsonFields& fields, const char* key) {
  std::vector<int> numbers;
  for (const json& number : fields.array(key, kMaxChosen)) numbers.push_back(fields.to_integer<int>(key, number, 0));
  return numbers;
}

std::vector<HeadsOfLayer> heads_from_json(const json& object) {
  std::vector<HeadsOfLayer> all;
  if (!object.contains("heads")) return all;
  for (const json& element : detail::JsonFields(object, "layers of an edge").array("heads", kMaxChosen)) {
    const detail::JsonFields fields(element, "heads of a layer");
    all.push_back({.layer = fields.integer<int>("layer", 0), .heads = numbers_from_json(fields, "heads")});
  }
  return all;
}

constexpr const char* kUnitHead = "head";

json layers_to_json(const LayerChoice& choice) {
  json object{{"kind", name_of(kChoiceNames, choice.kind)},
              {"ratio", choice.ratio},
              {"top", choice.top},
              {"layers", choice.layers},
              {"seed", choice.seed},
              {"alpha", choice.alpha},
              {"mu", choice.mu},
              {"sigma", choice.sigma}};
  if (choice.by_loss()) object["by"] = to_string(choice.by);
  if (choice.by_loss() && choice.unit == Unit::kHead) object["unit"] = kUnitHead;
  if (choice.kind == LayerChoice::Kind::kBytesPerToken) object["bytes_per_token"] = choice.bytes_per_token;
  for (const HeadsOfLayer& one : choice.heads) object["heads"].push_back({{"layer", one.layer}, {"heads", one.heads}});
  return object;
}

LayerChoice layers_from_json(const json& object) {
  const detail::JsonFields fields(object, "layers of an edge");
  LayerChoice choice;
  choice.kind = value_of(kChoiceNames, fields, "kind");
  choice.ratio = fields.number("ratio");
  choice.top = fields.integer<int>("top", 0);
  choice.layers = numbers_from_json(fields, "layers");
  choice.heads = heads_from_json(object);
  choice.seed = fields.integer<std::uint64_t>("seed");
  choice.alpha = fields.number("alpha");
  choice.mu = fields.number("mu");
  choice.sigma = fields.number("sigma");
  if (choice.kind == LayerChoice::Kind::kBytesPerToken)
    choice.bytes_per_token = fields.integer<int>("bytes_per_token", 0);
  // Builds that knew nothing else wrote nothing, and meant attention.
  if (choice.ranked()) choice.by = object.contains("by") ? value_of(kByNames, fields, "by") : By::kAttention;
  if (object.contains("unit") && fields.string("unit") == kUnitHead) choice.unit = Unit::kHead;
  return choice;
}

void check_needs(const json& object, const detail::JsonFields& fields) {
  if (!object.contains("needs")) return;
  for (const json& need : fields.array("needs", /*max_size=*/64))
    if (need != kNeedsLoss && need != kNeedsHeads)
      fields.refuse(cat("it needs ", need.dump().substr(0, 60), ", which this build does not know"));
}

/// The option that says what numbers travel as.
const EdgeOption::Choice& wire_dtypes() {
  for (const EdgeOption& option : edge_options())
    if (option.field == "wire") return std::get<EdgeOption::Choice>(option.value);
  throw Error(ErrorKind::kGiveUp, "edges have no option for what numbers travel as");
}

}  // namespace

std::string to_string(Medium medium) { return name_of(kMediumNames, medium); }

std::optional<Medium> find_medium(const std::string& name) {
  for (const auto& [medium, candidate] : kMediumNames) {
    if (candidate == name) return medium;
  }
  return std::nullopt;
}

std::string to_string(By by) { return name_of(kByNames, by); }

std::optional<By> find_by(const std::string& name) {
  for (const auto& [by, candidate] : kByNames)
    if (candidate == name) return by;
  return std::nullopt;
}

std::string to_string(WireDtype dtype) { return wire_dtypes().names.at(static_cast<std::size_t>(dtype)); }

std::optional<WireDtype> find_wire_dtype(const std::string& name) {
  const std::vector<std::string>& names = wire_dtypes().names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<WireDtype>(found - names.begin());
}

std::string describe(const EdgeSpec& edge) {
  return cat(edge.from, " -> ", edge.to, " (", to_string(edge.medium), ")");
}

std::string to_json(const EdgeSpec& edge) {
  json object{{"from", edge.from}, {"to", edge.to}, {"medium", to_string(edge.medium)}};
  for (const EdgeOption& option : edge_options()) {
    json& field = object[option.field];
    std::visit(Overloaded{[&](const EdgeOption::Flag& flag) { field = edge.*flag.value; },
                          [&](const EdgeOption::Whole& whole) { field = edge.*whole.value; },
                          [&](const EdgeOption::Number& number) { field = edge.*number.value; },
                          [&](const EdgeOption::Choice& choice) { field = choice.names.at(choice.get(edge)); },
                          [&](const EdgeOption::Layers&) { field = layers_to_json(edge.layers); }},
               option.value);
  }
  if (edge.medium == Medium::kKv && edge.layers.by_loss()) object["needs"].push_back(kNeedsLoss);
  if (edge.medium == Medium::kKv && edge.layers.by_heads()) object["needs"].push_back(kNeedsHeads);
  return detail::dump_json(object);
}

EdgeSpec edge_spec_from_json(const std::string& text) {
  const json object = detail::parse_json(text, "edge");
  const detail::JsonFields fields(object, "edge");
  check_needs(object, fields);
  EdgeSpec edge;
  edge.from = fields.string("from");
  edge.to = fields.string("to");
  edge.medium = value_of(kMediumNames, fields, "medium");
  for (const EdgeOption& option : edge_options()) {
    const std::string& key = option.field;
    std::visit(Overloaded{[&](const EdgeOption::Flag& flag) { edge.*flag.value = fields.boolean(key); },
                          [&](const EdgeOption::Whole& whole) { edge.*whole.value = fields.integer<int>(key); },
                          [&](const EdgeOption::Number& number) { edge.*number.value = fields.number(key); },
                          [&](const EdgeOption::Choice& choice) { choice.set(edge, place_of(choice, fields, key)); },
                          [&](const EdgeOption::Layers&) { edge.layers = layers_from_json(fields.member(key)); }},
               option.value);
  }
  return edge;
}

}  // namespace kvmesh::wire
