#include "orchestrator/profile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kVersion = 1;

/// Reads the fields of one object of a profile; errors name the file, the object and the field.
class ProfileFields {
 public:
  ProfileFields(const json& object, std::string what) : object_(object), what_(std::move(what)) {
    if (!object.is_object()) fail(cat("is of type ", object.type_name(), ", and must be an object"));
  }

  std::string text(const char* key) const { return value<std::string>(key, &json::is_string, "a text"); }
  double number(const char* key) const { return value<double>(key, &json::is_number, "a number"); }
  int whole(const char* key) const {
    const auto number = value<std::int64_t>(key, &json::is_number_integer, "a whole number");
    if (number < 0 || number > std::numeric_limits<int>::max()) fail(cat('"', key, "\" is ", number, ", out of range"));
    return static_cast<int>(number);
  }
  template <typename Number>
  std::vector<Number> numbers(const char* key) const {
    std::vector<Number> all;
    for (const json& each : array(key)) {
      const bool fits =
          std::is_integral_v<Number> ? each.is_number_integer() && each >= 0 && each < 1'000'000 : each.is_number();
      if (!fits) fail(cat('"', key, "\" holds ", each.dump(), ", which is no number that belongs there"));
      all.push_back(each.get<Number>());
    }
    return all;
  }
  const json& array(const char* key) const {
    const json& found = member(key);
    if (!found.is_array()) fail(cat('"', key, "\" is of type ", found.type_name(), ", and must be a list"));
    return found;
  }

 private:
  template <typename Value>
  Value value(const char* key, bool (json::*is)() const noexcept, const char* wanted) const {
    const json& found = member(key);
    if (!(found.*is)()) fail(cat('"', key, "\" is of type ", found.type_name(), ", and must be ", wanted));
    return found.get<Value>();
  }
  const json& member(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) fail(cat('"', key, "\" is missing"));
    return *found;
  }
  [[noreturn]] void fail(const std::string& wrong) const {
    fail_input(what_, ": ", wrong, "; make the profile again with kvmesh calibrate");
  }

  const json& object_;
  std::string what_;
};

/// Sets of layers with their losses; none where the key is missing, as in files of builds that knew attention alone.
std::vector<bus::SharedLayers> sets_from_json(const json& object, const char* key, const std::string& what) {
  std::vector<bus::SharedLayers> sets;
  if (!object.contains(key)) return sets;
  for (const json& entry : ProfileFields(object, what).array(key)) {
    const ProfileFields fields(entry, cat(what, ": \"", key, "\", entry ", sets.size() + 1));
    sets.push_back({.layers = fields.numbers<int>("layers"), .loss = fields.number("loss")});
    if (entry.contains("checked")) sets.back().checked = fields.number("checked");
    const bool grows = sets.size() < 2 || sets.back().layers.size() > sets[sets.size() - 2].layers.size();
    if (!grows)
      fail_input(what, ": \"", key,
                 "\" is not sorted by the number of layers; make the profile again with kvmesh calibrate");
  }
  return sets;
}

std::vector<bus::WireLoss> wires_from_json(const json& object, const std::string& what) {
  std::vector<bus::WireLoss> wires;
  if (!object.contains("wires")) return wires;
  for (const json& entry : ProfileFields(object, what).array("wires")) {
    const ProfileFields fields(entry, cat(what, ": \"wires\", entry ", wires.size() + 1));
    wires.push_back({fields.text("wire"), fields.number("loss")});
  }
  return wires;
}

ordered_json sets_to_json(const std::vector<bus::SharedLayers>& sets, bool checked) {
  ordered_json all = ordered_json::array();
  for (const bus::SharedLayers& set : sets) {
    ordered_json& entry = all.emplace_back(ordered_json{{"layers", set.layers}, {"loss", set.loss}});
    if (checked) entry["checked"] = set.checked;
  }
  return all;
}

EdgeProfile edge_from_json(const json& object, const std::string& what) {
  const ProfileFields fields(object, what);
  return {.from = fields.text("from"),
          .to = fields.text("to"),
          .sender = fields.text("sender"),
          .receiver = fields.text("receiver"),
          .samples = fields.whole("samples"),
          .alpha = fields.number("alpha"),
          .mu = fields.number("mu"),
          .sigma = fields.number("sigma"),
          .scores = fields.numbers<double>("scores"),
          .ranking = fields.numbers<int>("ranking"),
          .path = sets_from_json(object, "path", what),
          .by_attention = sets_from_json(object, "by_attention", what),
          .heads = object.contains("heads") ? fields.whole("heads") : 0,
          .checks = object.contains("checks") ? fields.whole("checks") : 0,
          .layer_bytes = object.contains("layer_bytes") ? fields.number("layer_bytes") : 0,
          .wire = object.contains("wire") ? fields.text("wire") : std::string(),
          .wires = wires_from_json(object, what)};
}

const EdgeProfile* find_edge(const Profile& profile, const wire::EdgeSpec& spec) {
  const auto found = std::find_if(profile.edges.begin(), profile.edges.end(), [&](const EdgeProfile& edge) {
    return edge.from == spec.from && edge.to == spec.to;
  });
  return found == profile.edges.end() ? nullptr : &*found;
}

std::string profile_name(const Topology& topology) {
  return topology.profile ? topology.profile->string() : std::string("the profile");
}

const EdgeProfile& get_edge(const Topology& topology, const Profile& profile, const Edge& edge) {
  if (const EdgeProfile* found = find_edge(profile, edge.spec)) {
    if (edge.spec.layers.by_loss() && !found->path.empty() && edge.spec.layers.by_heads() != (found->heads != 0))
      fail_input(profile_name(topology), ": edge ", wire::describe(edge.spec), " was searched ",
                 found->heads != 0 ? "head by head" : "layer by layer", ", and ", where(topology, edge.line),
                 edge.spec.layers.by_heads() ? " says unit: head" : " chooses layers",
                 "; measure it with kvmesh calibrate ", topology.file.string());
    const bool layers = !found->path.empty() || !(edge.spec.layers.by_loss() && edge.spec.layers.calibrated());
    const bool wire = !found->wire.empty() || edge.spec.wire != wire::WireDtype::kAuto;
    if (layers && wire) return *found;
    if (layers)
      fail_input(profile_name(topology), ": does not say what numbers travel as on edge ", wire::describe(edge.spec),
                 " of ", where(topology, edge.line), ", which says wire: auto; measure it with kvmesh calibrate ",
                 topology.file.string(), ", or write the form");
    fail_input(profile_name(topology), ": was measured by attention alone, and the layers of edge ",
               wire::describe(edge.spec), " of ", where(topology, edge.line),
               " are chosen by loss; measure it with kvmesh calibrate ", topology.file.string(),
               ", or write by: attention");
  }
  fail_input(profile_name(topology), ": has no scores for edge ", wire::describe(edge.spec), " of ",
             where(topology, edge.line), "; measure it with kvmesh calibrate ", topology.file.string());
}

void check_model(const Topology& topology, const Edge& edge, const std::string& agent, const std::string& measured,
                 const Fingerprints& models) {
  const std::string& present = models.at(agent);
  if (measured == present) return;
  fail_input(profile_name(topology), ": was made for other models: on edge ", wire::describe(edge.spec), " agent ",
             agent, " had weights ", measured, " and has ", present, " now; measure again with kvmesh calibrate ",
             topology.file.string());
}

}  // namespace

EdgeProfile profile_of(const bus::EdgeScores& scores) {
  return {.from = scores.from,
          .to = scores.to,
          .scores = rounded_scores(scores.scores),
          .path = scores.path,
          .by_attention = scores.by_attention,
          .heads = scores.heads,
          .checks = scores.checks,
          .layer_bytes = scores.layer_bytes,
          .wire = scores.wire,
          .wires = scores.wires};
}

bus::EdgeScores scores_of(const EdgeProfile& edge) {
  return {.from = edge.from,
          .to = edge.to,
          .scores = edge.scores,
          .path = edge.path,
          .by_attention = edge.by_attention,
          .checks = edge.checks,
          .heads = edge.heads,
          .layer_bytes = edge.layer_bytes,
          .wire = edge.wire,
          .wires = edge.wires};
}

std::vector<double> rounded_scores(std::vector<double> scores) {
  for (double& score : scores) score = std::round(score * 1e6) / 1e6;
  return scores;
}

std::string to_json(const Profile& profile) {
  std::string text = cat("{\"kvmesh_profile\": ", kVersion, ", \"edges\": [");
  for (const EdgeProfile& edge : profile.edges) {
    ordered_json line{{"from", edge.from},       {"to", edge.to},
                      {"sender", edge.sender},   {"receiver", edge.receiver},
                      {"samples", edge.samples}, {"alpha", edge.alpha},
                      {"mu", edge.mu},           {"sigma", edge.sigma},
                      {"scores", edge.scores},   {"ranking", edge.ranking}};
    if (!edge.path.empty()) {
      line["checks"] = edge.checks;
      if (edge.heads != 0) line["heads"] = edge.heads;
      line["layer_bytes"] = edge.layer_bytes;
      line["path"] = sets_to_json(edge.path, edge.checks > 0);
      line["by_attention"] = sets_to_json(edge.by_attention, edge.checks > 0);
    }
    if (!edge.wire.empty()) line["wire"] = edge.wire;
    for (const bus::WireLoss& one : edge.wires)
      line["wires"].push_back(ordered_json{{"wire", one.wire}, {"loss", one.loss}});
    text += cat(&edge == &profile.edges.front() ? "\n" : ",\n", "  ", line.dump());
  }
  return text + "\n]}\n";
}

Profile read_profile(const std::filesystem::path& file) {
  const std::string text = read_text(file, "the profile", "make it with kvmesh calibrate");
  const json root = wire::parse_json(text, {.file = file.string()});
  const ProfileFields fields(root, file.string());
  if (const int version = fields.whole("kvmesh_profile"); version != kVersion)
    fail_input(file.string(), ": is a profile of version ", version, ", and this program reads version ", kVersion,
               "; make it again with kvmesh calibrate");
  Profile profile;
  for (const json& edge : fields.array("edges"))
    profile.edges.push_back(edge_from_json(edge, cat(file.string(), ": edge ", profile.edges.size() + 1)));
  return profile;
}

void check_profile(const Topology& topology, const Profile& profile) {
  for (const Edge& edge : topology.edges) {
    if (needs_scores(edge)) get_edge(topology, profile, edge);
  }
}

std::vector<bus::EdgeScores> scores_for(const Topology& topology, const Profile& profile, const Fingerprints& models) {
  std::vector<bus::EdgeScores> scores;
  for (const Edge& edge : topology.edges) {
    if (!needs_scores(edge)) continue;
    const EdgeProfile& measured = get_edge(topology, profile, edge);
    check_model(topology, edge, edge.spec.from, measured.sender, models);
    check_model(topology, edge, edge.spec.to, measured.receiver, models);
    scores.push_back(scores_of(measured));
  }
  return scores;
}

}  // namespace kvmesh::orchestrator
