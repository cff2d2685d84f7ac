#include <nlohmann/json.hpp>

#include "cli/evaluation/mesh.hpp"
#include "cli/programs.hpp"

namespace kvmesh::cli {
namespace {

class ProcessMesh final : public Mesh {
 public:
  ProcessMesh(const orchestrator::Topology& topology, int threads)
      : mesh_(topology, {.program = own_program(), .threads = threads}) {
    mesh_.start();
  }
  const orchestrator::Fingerprints& models() const override { return mesh_.models(); }
  orchestrator::RecordOutcome run(const nlohmann::json& record, std::uint64_t index) override {
    return mesh_.run(record, index);
  }
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records) override {
    return mesh_.calibrate(records);
  }
  void set_scores(const std::vector<bus::EdgeScores>& scores) override { mesh_.set_scores(scores); }

 private:
  orchestrator::Orchestrator mesh_;
};

}  // namespace

std::unique_ptr<Mesh> start_processes(const orchestrator::Topology& topology, int threads) {
  return std::make_unique<ProcessMesh>(topology, threads);
}

}  // namespace kvmesh::cli
