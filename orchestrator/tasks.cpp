#include "orchestrator/tasks.hpp"

#include <nlohmann/json.hpp>

#include "base/complaints.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {

RecordTasks make_tasks(const Topology& topology, const nlohmann::json& record, std::uint64_t index,
                       const std::string& request, bool calibrate, std::chrono::milliseconds deadline) {
  RecordTasks all{.id = record_id(record), .request = request, .tasks = {}};
  for (const AgentSpec& agent : topology.agents) {
    const GenerateSpec how = agent.generate.value_or(GenerateSpec());
    const bool generate = !calibrate && generates(topology, agent);
    all.tasks[agent.name] = {.request = request,
                             .record_index = index,
                             .prompt = render_prompt(agent, record),
                             .chat = agent.chat,
                             .system = render_system(agent, record),
                             .generate = generate,
                             .max_tokens = generate ? answer_tokens(topology, agent) : 0,
                             .sampling = how.sampling,
                             .stop = how.stop,
                             .calibrate = calibrate,
                             .deadline_ms = deadline.count()};
  }
  return all;
}

std::optional<std::string> record_problem(const Topology& topology, const nlohmann::json& record) {
  Complaints complaints;
  complaints.attempt([&] { make_tasks(topology, record, /*index=*/0, /*request=*/"", /*calibrate=*/false, {}); });
  if (complaints.texts().empty()) return std::nullopt;
  return complaints.texts().front();
}

}  // namespace kvmesh::orchestrator
