#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "cli/evaluation/agent_thread.hpp"
#include "cli/evaluation/mesh.hpp"
#include "orchestrator/record_runner.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/running_record.hpp"
#include "orchestrator/supervisor.hpp"

namespace kvmesh::cli {
namespace {

using Clock = Deadline::Clock;
using orchestrator::Edge;
using orchestrator::Topology;

/// Answers of agents, on their way to the thread that waits for a record.
class Answers {
 public:
  struct Answer {
    std::string agent;
    AgentThread::Answer answer;
  };
  void post(Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    posted_.notify_all();
  }
  /// None where the deadline passes first.
  std::optional<Answer> wait(const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    if (!posted_.wait_until(lock, deadline.when(), [this] { return !answers_.empty(); })) return std::nullopt;
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Answer> answers_;
};

/// Where a message on an edge goes: the agent at its end, and the edge's number there.
struct Route {
  AgentThread* receiver = nullptr;
  std::size_t inbound = 0;
};

class InProcessMesh final : public Mesh {
 public:
  InProcessMesh(const Topology& topology, int threads, ModelShelf& shelf, std::function<void(const std::string&)> log)
      : topology_(topology),
        log_(std::move(log)),
        searches_(users_searches()),
        runner_(topology_, /*samples=*/1, orchestrator::Deadlines{}.record,
                {.submit = [this](const orchestrator::RecordTasks& tasks) { submit(tasks); },
                 .wait = [this] { return wait(); },
                 .install = [this](const bus::EdgeScores& scores) { agents_.at(scores.from)->scores(scores); },
                 .log = log_,
                 .models = [this]() -> const orchestrator::Fingerprints& { return models_; },
                 .searches = searches_ ? &*searches_ : nullptr}) {
    for (const orchestrator::AgentSpec& agent : topology_.agents) {
      hosts_[agent.name] = shelf.get(orchestrator::model_of(topology_, agent));
      models_[agent.name] = hosts_[agent.name]->model().fingerprint();
    }
    // Receivers first, so that whom a sender publishes to is there.
    std::vector<std::string> order = orchestrator::topological_order(topology_);
    std::reverse(order.begin(), order.end());
    for (const std::string& name : order) start(name, threads);
  }
  ~InProcessMesh() override {
    // Senders first: nobody publishes to an agent that is gone.
    for (const std::string& name : orchestrator::topological_order(topology_)) agents_.erase(name);
  }

  const orchestrator::Fingerprints& models() const override { return models_; }
  orchestrator::RecordOutcome run(const nlohmann::json& record, std::uint64_t index,
                                  const std::vector<std::string>& targets) override {
    return runner_.run(record, index, targets);
  }
  std::vector<bus::EdgeScores> calibrate(const std::vector<nlohmann::json>& records) override {
    return runner_.calibrate(records);
  }
  void set_scores(const std::vector<bus::EdgeScores>& scores) override { runner_.set_scores(scores); }

 private:
  wire::Manifest manifest_of(const std::string& agent) const {
    return llm::manifest_of(hosts_.at(agent)->model().config());
  }

  agents::Wiring wiring_of(const std::string& name) const {
    agents::Wiring wiring{.mesh = topology_.name, .inbound = {}, .outbound = {}};
    for (const Edge* edge : orchestrator::inbound_edges(topology_, name))
      wiring.inbound.push_back({edge->spec, manifest_of(edge->spec.from)});
    for (const Edge* edge : orchestrator::outbound_edges(topology_, name))
      wiring.outbound.push_back(
          {edge->spec, manifest_of(edge->spec.to), orchestrator::carries_sink(topology_, *edge), {}});
    return wiring;
  }

  Route route_of(const Edge& edge) const {
    const auto inbound = orchestrator::inbound_edges(topology_, edge.spec.to);
    const auto place = std::find(inbound.begin(), inbound.end(), &edge);
    return {agents_.at(edge.spec.to).get(), static_cast<std::size_t>(place - inbound.begin())};
  }

  void start(const std::string& name, int threads) {
    std::vector<Route> routes;
    for (const Edge* edge : orchestrator::outbound_edges(topology_, name)) routes.push_back(route_of(*edge));
    agents_[name] = std::make_unique<AgentThread>(
        name, hosts_.at(name), wiring_of(name), threads,
        AgentThread::Hooks{.publish =
                               [routes](std::size_t edge, const wire::UnsealedMessage& message) {
                                 routes.at(edge).receiver->deliver(routes.at(edge).inbound, message.sealed());
                               },
                           .answer =
                               [this, name](AgentThread::Answer answer) {
                                 answers_.post({name, std::move(answer)});
                               },
                           .progress =
                               [this](const bus::Progress& progress) {
                                 heard_at_ = Clock::now().time_since_epoch().count();
                                 log_(orchestrator::describe(progress));
                               }});
  }

  void submit(const orchestrator::RecordTasks& tasks) {
    record_.emplace(tasks, topology_, Deadline::after(orchestrator::Deadlines{}.record));
    for (const auto& [name, task] : tasks.tasks) agents_.at(name)->task(task);
  }

  orchestrator::RecordOutcome wait() {
    orchestrator::RunningRecord record = *std::exchange(record_, std::nullopt);
    while (!record.complete()) {
      std::optional<Answers::Answer> answer = answers_.wait(record.deadline());
      if (!answer) {
        const Deadline renewed = Deadline::after(orchestrator::Deadlines{}.record, heard_at());
        if (renewed.expired(Clock::now())) return give_up(record, "no result within the record's deadline");
        record.renew(renewed);
        continue;
      }
      if (const auto* error = std::get_if<bus::TaskError>(&answer->answer)) {
        if (error->request == record.request()) return give_up(record, error->reason);
        continue;
      }
      const auto& result = std::get<bus::Result>(answer->answer);
      if (result.request == record.request()) record.on_result(answer->agent, result);
    }
    return record.outcome();
  }

  orchestrator::RecordOutcome give_up(const orchestrator::RunningRecord& record, const std::string& reason) {
    for (const auto& [name, agent] : agents_) agent->cancel(record.request());
    return record.outcome(reason);
  }

  Clock::time_point heard_at() const { return Clock::time_point(Clock::duration(heard_at_)); }

  const Topology topology_;
  static std::optional<orchestrator::SearchCache> users_searches() {
    const auto folder = orchestrator::SearchCache::users_folder();
    return folder ? std::optional<orchestrator::SearchCache>(std::in_place, *folder) : std::nullopt;
  }

  const std::function<void(const std::string&)> log_;
  const std::optional<orchestrator::SearchCache> searches_;
  std::atomic<Clock::rep> heard_at_ = 0;  ///< the last sign of progress
  std::map<std::string, std::shared_ptr<const llm::Host>> hosts_;
  orchestrator::Fingerprints models_;
  orchestrator::RecordRunner runner_;
  std::optional<orchestrator::RunningRecord> record_;  ///< on its way
  Answers answers_;
  std::map<std::string, std::unique_ptr<AgentThread>> agents_;
};

}  // namespace

std::shared_ptr<const llm::Host> ModelShelf::get(const orchestrator::ModelSpec& model) {
  std::shared_ptr<const llm::Host>& host = hosts_[{model.path.string(), model.dtype, model.device}];
  if (!host)
    host =
        std::make_shared<const llm::Host>(llm::Host::load(model.path, {.dtype = model.dtype, .device = model.device}));
  return host;
}

std::unique_ptr<Mesh> start_in_process(const Topology& topology, int threads, ModelShelf& shelf,
                                       std::function<void(const std::string&)> log) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::make_unique<InProcessMesh>(
      topology, threads > 0 ? threads : orchestrator::compute_threads(topology, cores, /*several_records=*/false),
      shelf, std::move(log));
}

}  // namespace kvmesh::cli
