#include "orchestrator/search_cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kvcodec/wire/checksum.hpp"

namespace kvmesh::orchestrator {
namespace {

namespace fs = std::filesystem;

/// Of the search itself: one that finds other sets than before counts up.
constexpr int kSearchVersion = 1;

std::string hex(std::uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[number >> shift & 15];
  return text;
}

}  // namespace

std::optional<fs::path> SearchCache::users_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && fs::path(cache).is_absolute()) return fs::path(cache) / "kvmesh" / "searches";
  const char* home = std::getenv("HOME");
  if (home != nullptr && fs::path(home).is_absolute()) return fs::path(home) / ".cache" / "kvmesh" / "searches";
  return std::nullopt;
}

fs::path SearchCache::file_of(const std::string& identity) const {
  const std::vector<OwnedBytes> text{OwnedBytes::from_string(identity)};
  return folder_ / (hex(wire::payload_checksum(text)) + ".json");
}

std::optional<std::vector<bus::EdgeScores>> SearchCache::find(const std::string& identity) const {
  const fs::path file = file_of(identity);
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  try {
    std::vector<bus::EdgeScores> scores;
    for (const EdgeProfile& edge : read_profile(file).edges) scores.push_back(scores_of(edge));
    fs::last_write_time(file, fs::file_time_type::clock::now(), error);
    return scores;
  } catch (const Error&) {
    fs::remove(file, error);
    return std::nullopt;
  }
}

void SearchCache::keep(const std::string& identity, const std::vector<bus::EdgeScores>& scores) const {
  Profile profile;
  for (const bus::EdgeScores& edge : scores) profile.edges.push_back(profile_of(edge));
  std::error_code error;
  fs::create_directories(folder_, error);
  const fs::path file = file_of(identity), written = cat(file.string(), ".", ::getpid());
  std::ofstream out(written);
  out << to_json(profile);
  out.close();
  if (out) fs::rename(written, file, error);
  if (!out || error) fs::remove(written, error);
  remove_oldest();
}

void SearchCache::remove_oldest() const {
  struct File {
    fs::file_time_type used;
    fs::path path;
    std::uintmax_t bytes;
  };
  std::vector<File> files;
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    File file{entry->last_write_time(gone), entry->path(), entry->file_size(gone)};
    if (gone) continue;
    bytes += file.bytes;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const File& left, const File& right) { return left.used < right.used; });
  for (auto file = files.begin(); file != files.end() && bytes > most_bytes_; ++file) {
    fs::remove(file->path, error);
    bytes -= file->bytes;
  }
}

std::string search_identity(const Topology& topology, const Fingerprints& models,
                            const std::vector<nlohmann::json>& records) {
  nlohmann::json all{{"search", kSearchVersion}, {"output", topology.output}, {"records", records}};
  for (const AgentSpec& agent : topology.agents) {
    const GenerateSpec how = agent.generate.value_or(GenerateSpec());
    all["agents"].push_back({agent.name, models.at(agent.name), model_of(topology, agent).dtype, agent.prompt,
                             agent.chat, agent.system, how.max_tokens, how.stop, how.sampling.temperature});
  }
  for (const Edge& edge : topology.edges) {
    wire::EdgeSpec spec = edge.spec;
    const wire::LayerChoice& choice = edge.spec.layers;
    // One search serves every ratio; what numbers travel as is chosen for the layers that are shared.
    if (spec.wire != wire::WireDtype::kAuto)
      spec.layers = {.by = choice.ranked() ? choice.by : wire::By::kLoss,
                     .unit = choice.unit,
                     .alpha = choice.alpha,
                     .mu = choice.mu,
                     .sigma = choice.sigma};
    spec.recalibrate_every = 0;
    spec.transport = wire::Transport::kAuto;
    all["edges"].push_back(wire::to_json(spec));
  }
  return all.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kvmesh::orchestrator
