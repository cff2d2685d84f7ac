#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "cli/start_options.hpp"
#include "llm/host.hpp"
#include "orchestrator/orchestrator.hpp"

namespace kvmesh::cli {

/// A mesh that is ready for records, wherever its agents run. A resource of one thread; the members are those of
/// orchestrator::Orchestrator.
class Mesh {
 public:
  virtual ~Mesh() = default;
  virtual const orchestrator::Fingerprints& models() const = 0;
  virtual orchestrator::RecordOutcome run(const nlohmann::json& record, std::uint64_t index,
                                          const std::vector<std::string>& targets) = 0;
  virtual std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records) = 0;
  virtual void set_scores(const std::vector<bus::EdgeScores>& scores) = 0;
};

/// Every agent a process of its own, started from this program. `threads`: compute threads an agent; 0: the cores
/// over those that begin together.
/// `log` hears of progress, a line each, from a thread of the mesh's.
std::unique_ptr<Mesh> start_processes(const orchestrator::Topology& topology, int threads, const StartOptions& start,
                                      std::function<void(const std::string&)> log);

/// Models that agents of this process share, each loaded once.
class ModelShelf {
 public:
  std::shared_ptr<const llm::Host> get(const orchestrator::ModelSpec& model);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  ///< folder, dtype, device
  std::map<Key, std::shared_ptr<const llm::Host>> hosts_;
};

/// Every agent a thread of this process: the same turns and the same messages through the codec, without sockets.
std::unique_ptr<Mesh> start_in_process(const orchestrator::Topology& topology, int threads, ModelShelf& shelf,
                                       std::function<void(const std::string&)> log);

}  // namespace kvmesh::cli
