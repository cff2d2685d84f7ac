#include "orchestrator/profile.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kVersion = 1;

EdgeProfile edge_from_json(const json& object) {
  EdgeProfile edge;
  edge.from = object.at("from").get<std::string>();
  edge.to = object.at("to").get<std::string>();
  edge.sender = object.at("sender").get<std::string>();
  edge.receiver = object.at("receiver").get<std::string>();
  edge.samples = object.at("samples").get<int>();
  edge.alpha = object.at("alpha").get<double>();
  edge.mu = object.at("mu").get<double>();
  edge.sigma = object.at("sigma").get<double>();
  edge.scores = object.at("scores").get<std::vector<double>>();
  edge.ranking = object.at("ranking").get<std::vector<int>>();
  return edge;
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
  if (const EdgeProfile* found = find_edge(profile, edge.spec)) return *found;
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

std::vector<double> rounded_scores(std::vector<double> scores) {
  for (double& score : scores) score = std::round(score * 1e6) / 1e6;
  return scores;
}

std::string to_json(const Profile& profile) {
  std::string text = cat("{\"kvmesh_profile\": ", kVersion, ", \"edges\": [");
  for (const EdgeProfile& edge : profile.edges) {
    const ordered_json line{{"from", edge.from},       {"to", edge.to},
                            {"sender", edge.sender},   {"receiver", edge.receiver},
                            {"samples", edge.samples}, {"alpha", edge.alpha},
                            {"mu", edge.mu},           {"sigma", edge.sigma},
                            {"scores", edge.scores},   {"ranking", edge.ranking}};
    text += cat(&edge == &profile.edges.front() ? "\n" : ",\n", "  ", line.dump());
  }
  return text + "\n]}\n";
}

Profile read_profile(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || std::filesystem::is_directory(file)) {
    fail_input("the profile ", file.string(), " is not there or cannot be read; make it with kvmesh calibrate");
  }
  try {
    const json root = json::parse(text.str());
    if (const int version = root.at("kvmesh_profile").get<int>(); version != kVersion) {
      fail_input(file.string(), ": is a profile of version ", version, ", and this program reads version ", kVersion,
                 "; make it again with kvmesh calibrate");
    }
    Profile profile;
    for (const json& edge : root.at("edges")) profile.edges.push_back(edge_from_json(edge));
    return profile;
  } catch (const json::exception& error) {
    fail_input(file.string(), ": is no profile (", error.what(), "); make it again with kvmesh calibrate");
  }
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
    scores.push_back({measured.from, measured.to, measured.scores});
  }
  return scores;
}

}  // namespace kvmesh::orchestrator
