#include "orchestrator/orchestrator.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "orchestrator/detail/mesh_loop.hpp"
#include "orchestrator/liveness.hpp"
#include "orchestrator/record_runner.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator {
namespace {

void check_options(const OrchestratorOptions& options) {
  constexpr auto most = static_cast<int>(bus::kMaxRequestsInFlight);
  if (options.concurrency < 1 || options.concurrency > most)
    fail_input("concurrency is ", options.concurrency, "; take 1 to ", most, " records at the same time");
  if (options.liveness) check_liveness(*options.liveness);
  if (options.samples < 1) fail_input("samples is ", options.samples, "; calibrate on at least 1 record");
  if (options.spawn && !std::filesystem::is_regular_file(options.program)) {
    fail_input("there is no program ", options.program.string(), " to start agents with; name the kvmesh program");
  }
}

}  // namespace

class Orchestrator::Impl {
 public:
  Impl(Topology topology, OrchestratorOptions options) : topology_(std::move(topology)), options_(std::move(options)) {
    check_topology(topology_, "Orchestrator");
    check_options(options_);
    if (topology_.profile) {
      profile_ = read_profile(*topology_.profile);
      check_profile(topology_, *profile_);
    }
    if (options_.search_cache) searches_.emplace(*options_.search_cache);
    runner_.emplace(topology_, options_.samples, options_.deadlines.record,
                    MeshPort{.submit = [this](const RecordTasks& tasks) { loop_->submit(tasks); },
                             .wait = [this] { return loop_->wait(); },
                             .install = [this](const bus::EdgeScores& scores) { loop_->install(scores); },
                             .log = [this](const std::string& text) { loop_->say(text); },
                             .models = [this]() -> const Fingerprints& { return models_; },
                             .searches = searches_ ? &*searches_ : nullptr});
    loop_.emplace(topology_, options_);
  }

  void start() {
    models_ = loop_->start();
    if (profile_) runner_->set_scores(scores_for(topology_, *profile_, models_));
  }
  bus::Endpoint endpoint() const { return loop_->endpoint(); }
  const Fingerprints& models() const { return models_; }
  RecordRunner& runner() { return *runner_; }
  void run_all(const std::vector<nlohmann::json>& records, const std::function<void(const RecordOutcome&)>& report,
               const RecordCheck& check) {
    runner_->run_all(records, static_cast<std::size_t>(options_.concurrency), report, check);
  }
  void stop() { loop_->stop(); }

 private:
  Topology topology_;
  OrchestratorOptions options_;
  std::optional<Profile> profile_;
  Fingerprints models_;
  std::optional<SearchCache> searches_;
  std::optional<RecordRunner> runner_;
  std::optional<detail::MeshLoop> loop_;
};

Orchestrator::Orchestrator(Topology topology, OrchestratorOptions options)
    : impl_(std::make_unique<Impl>(std::move(topology), std::move(options))) {}
Orchestrator::~Orchestrator() = default;

void Orchestrator::start() { impl_->start(); }
bus::Endpoint Orchestrator::endpoint() const { return impl_->endpoint(); }
const Fingerprints& Orchestrator::models() const { return impl_->models(); }
RecordOutcome Orchestrator::run(const nlohmann::json& record, std::uint64_t index,
                                const std::vector<std::string>& targets) {
  return impl_->runner().run(record, index, targets);
}
void Orchestrator::run_all(const std::vector<nlohmann::json>& records,
                           const std::function<void(const RecordOutcome&)>& report, const RecordCheck& check) {
  impl_->run_all(records, report, check);
}
std::vector<bus::EdgeScores> Orchestrator::calibrate(const std::vector<nlohmann::json>& records) {
  return impl_->runner().calibrate(records);
}
void Orchestrator::set_scores(const std::vector<bus::EdgeScores>& scores) { impl_->runner().set_scores(scores); }
void Orchestrator::stop() { impl_->stop(); }

}  // namespace kvmesh::orchestrator
