#include <nlohmann/json.hpp>

#include "cli/evaluation/mesh.hpp"
#include "cli/programs.hpp"

namespace kvmesh::cli {
namespace {

class ProcessMesh final : public Mesh {
 public:
  ProcessMesh(const orchestrator::Topology& topology, int threads, const StartOptions& start,
              std::function<void(const std::string&)> log)
      : mesh_(topology, options_of(threads, start, std::move(log))) {
    mesh_.start();
  }
  const orchestrator::Fingerprints& models() const override { return mesh_.models(); }
  orchestrator::RecordOutcome run(const nlohmann::json& record, std::uint64_t index,
                                  const std::vector<std::string>& targets) override {
    return mesh_.run(record, index, targets);
  }
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records) override {
    return mesh_.calibrate(records);
  }
  void set_scores(const std::vector<bus::EdgeScores>& scores) override { mesh_.set_scores(scores); }

 private:
  static orchestrator::OrchestratorOptions options_of(int threads, const StartOptions& start,
                                                      std::function<void(const std::string&)> log) {
    orchestrator::OrchestratorOptions options{.program = own_program(), .threads = threads, .log = std::move(log)};
    start.apply(options);
    return options;
  }

  orchestrator::Orchestrator mesh_;
};

}  // namespace

std::unique_ptr<Mesh> start_processes(const orchestrator::Topology& topology, int threads, const StartOptions& start,
                                      std::function<void(const std::string&)> log) {
  return std::make_unique<ProcessMesh>(topology, threads, start, std::move(log));
}

}  // namespace kvmesh::cli
