#include "orchestrator/orchestrator.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "orchestrator/detail/mesh_loop.hpp"
#include "orchestrator/record_runner.hpp"

namespace kvmesh::orchestrator {
namespace {

void check_options(const OrchestratorOptions& options) {
  if (options.samples < 1) fail_input("samples is ", options.samples, "; calibrate on at least 1 record");
  if (options.spawn && !std::filesystem::is_regular_file(options.program)) {
    fail_input("there is no program ", options.program.string(), " to start agents with; name the kvmesh program");
  }
}

}  // namespace

class Orchestrator::Impl {
 public:
  Impl(Topology topology, OrchestratorOptions options) : topology_(std::move(topology)), options_(std::move(options)) {
    check_options(options_);
    if (topology_.profile) {
      profile_ = read_profile(*topology_.profile);
      check_profile(topology_, *profile_);
    }
    runner_.emplace(topology_, options_.samples, options_.deadlines.record,
                    MeshPort{.run = [this](const RecordTasks& tasks) { return loop_->run(tasks); },
                             .install = [this](const bus::EdgeScores& scores) { loop_->install(scores); },
                             .log =
                                 [this](const std::string& text) {
                                   if (options_.log) options_.log(text);
                                 }});
    loop_.emplace(topology_, options_);
  }

  void start() {
    models_ = loop_->start();
    if (profile_) runner_->set_scores(scores_for(topology_, *profile_, models_));
  }
  bus::Endpoint endpoint() const { return loop_->endpoint(); }
  const Fingerprints& models() const { return models_; }
  RecordRunner& runner() { return *runner_; }
  void stop() { loop_->stop(); }

 private:
  Topology topology_;
  OrchestratorOptions options_;
  std::optional<Profile> profile_;
  Fingerprints models_;
  std::optional<RecordRunner> runner_;
  std::optional<detail::MeshLoop> loop_;
};

Orchestrator::Orchestrator(Topology topology, OrchestratorOptions options)
    : impl_(std::make_unique<Impl>(std::move(topology), std::move(options))) {}
Orchestrator::~Orchestrator() = default;

void Orchestrator::start() { impl_->start(); }
bus::Endpoint Orchestrator::endpoint() const { return impl_->endpoint(); }
const Fingerprints& Orchestrator::models() const { return impl_->models(); }
RecordOutcome Orchestrator::run(const nlohmann::json& record, std::uint64_t index) {
  return impl_->runner().run(record, index);
}
std::vector<bus::EdgeScores> Orchestrator::calibrate(const std::vector<nlohmann::json>& records) {
  return impl_->runner().calibrate(records);
}
void Orchestrator::set_scores(const std::vector<bus::EdgeScores>& scores) { impl_->runner().set_scores(scores); }
void Orchestrator::stop() { impl_->stop(); }

}  // namespace kvmesh::orchestrator
