#include "orchestrator/tasks.hpp"

#include <nlohmann/json.hpp>

#include "base/complaints.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {

namespace {

/// What a task takes on the wire is counted exactly only where it may be too much.
void check_size(const std::string& id, const std::string& agent, const bus::Task& task) {
  std::size_t text = task.system.size();
  for (const bus::PromptPiece& piece : task.prompt) text += piece.text.size();
  for (const std::string& target : task.targets) text += target.size();
  constexpr std::size_t kMostEscaped = 8;  // a byte is at most \u0000 in JSON
  if (text < bus::kMaxControlBytes / kMostEscaped) return;
  const std::size_t bytes = bus::encode_control(task).size();
  if (bytes <= bus::kMaxControlBytes) return;
  fail_input("record ", id, ": the task of agent ", agent, " takes ", bytes, " bytes on its way to the agent, and ",
             bus::kMaxControlBytes, " are the limit; shorten the record's fields");
}

std::vector<std::string> without_blank(std::vector<std::string> texts) {
  std::erase_if(texts, [](const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; });
  return texts;
}

}  // namespace

RecordTasks make_tasks(const Topology& topology, const nlohmann::json& record, std::uint64_t index,
                       const std::string& request, bool calibrate, std::chrono::milliseconds deadline,
                       const std::vector<std::string>& targets) {
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
                             .targets =
                                 agent.name == topology.output ? without_blank(targets) : std::vector<std::string>(),
                             .calibrate = calibrate,
                             .deadline_ms = deadline.count()};
    check_size(all.id, agent.name, all.tasks[agent.name]);
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
