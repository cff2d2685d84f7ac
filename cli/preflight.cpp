#include "cli/preflight.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/prompt_sizer.hpp"
#include "llm/model/config.hpp"
#include "llm/text/chat_template.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::cli {
namespace {

using orchestrator::AgentSpec;
using orchestrator::Edge;
using orchestrator::Topology;

/// Tokens that `agent` may add behind its prompt.
std::int64_t longest_output(const Topology& topology, const AgentSpec& agent) {
  int most = orchestrator::generates(topology, agent) ? orchestrator::answer_tokens(topology, agent) : 0;
  for (const Edge* edge : orchestrator::outbound_edges(topology, agent.name)) {
    const wire::EdgeSpec& spec = edge->spec;
    const bool carries_output = spec.medium == wire::Medium::kText || spec.medium == wire::Medium::kEmbedding ||
                                (spec.medium == wire::Medium::kKv && spec.share == wire::Share::kPromptAndOutput);
    if (carries_output) most = std::max(most, spec.max_tokens);
  }
  return most;
}

/// Follows the positions of one record from agent to agent, along kv edges.
class PositionCount {
 public:
  explicit PositionCount(const Topology& topology) : topology_(topology) {
    for (const std::string& name : orchestrator::topological_order(topology))
      if (shares(name)) order_.push_back(&orchestrator::get_agent(topology, name));
    for (const AgentSpec* agent : order_) {
      const auto& folder = orchestrator::model_of(topology, *agent).path;
      if (!sizers_.contains(folder)) sizers_.emplace(folder, folder);
    }
  }

  /// What does not fit, with the numbers.
  std::optional<std::string> problem(const nlohmann::json& record) const {
    std::map<std::string, Span> own;  // positions of each agent's own tokens
    std::optional<std::string> problem;
    for (const AgentSpec* agent : order_) {
      const auto& folder = orchestrator::model_of(topology_, *agent).path;
      const PromptSizer& sizer = sizers_.at(folder);
      const std::int64_t before = shared_before(*agent, own), tokens = sizer.tokens(*agent, record);
      const std::int64_t output = longest_output(topology_, *agent), limit = sizer.positions();
      if (tokens + output > limit) return std::nullopt;
      own[agent->name] = {before, before + tokens};
      if (before + tokens + output > limit && !problem)
        problem = cat("record ", record.value("id", ""), ": at agent ", agent->name, ", shared contexts of ", before,
                      " tokens, its prompt of ", tokens, " and up to ", output, " to generate are ",
                      before + tokens + output, " positions, and ", folder.string(), " has ", sizer.described_limit(),
                      "; shorten the record or ask for fewer tokens");
    }
    return problem;
  }

 private:
  struct Span {
    std::int64_t begin = 0, end = 0;
  };

  bool shares(const std::string& agent) const {
    return std::any_of(topology_.edges.begin(), topology_.edges.end(), [&](const Edge& edge) {
      return edge.spec.medium == wire::Medium::kKv && (edge.spec.from == agent || edge.spec.to == agent);
    });
  }

  /// Contexts follow one another; the first stands where its sender computed it.
  std::int64_t shared_before(const AgentSpec& agent, const std::map<std::string, Span>& own) const {
    std::int64_t position = 0;
    for (const Edge* edge : orchestrator::inbound_edges(topology_, agent.name)) {
      if (edge->spec.medium != wire::Medium::kKv) continue;
      const Span& sender = own.at(edge->spec.from);
      position += position == 0 || edge->spec.forward ? sender.end : sender.end - sender.begin;
    }
    return position;
  }

  const Topology& topology_;
  std::vector<const AgentSpec*> order_;  ///< those with kv edges, senders first
  std::map<std::filesystem::path, PromptSizer> sizers_;
};

}  // namespace

void check_models(const Topology& topology) {
  std::map<std::string, wire::Manifest> manifests;
  for (const AgentSpec& agent : topology.agents)
    manifests[agent.name] = llm::read_manifest(orchestrator::model_of(topology, agent).path);
  std::vector<std::string> problems = orchestrator::check_ends(topology, manifests);
  for (const AgentSpec& agent : topology.agents) {
    const auto& folder = orchestrator::model_of(topology, agent).path;
    if (agent.chat && !llm::ChatTemplate::exists(folder))
      problems.push_back(cat(orchestrator::where(topology, agent.line), ": agent ", agent.name,
                             " gets its prompt in a chat template, and ", folder.string(),
                             " has none; write chat: false to give it the text itself"));
  }
  std::string all;
  for (const std::string& problem : problems) all += cat(all.empty() ? "" : "\n", problem);
  if (!all.empty()) throw Error(ErrorKind::kFixInput, all);
  if (topology.profile) orchestrator::check_profile(topology, orchestrator::read_profile(*topology.profile));
}

void check_lengths(const Topology& topology, const std::vector<nlohmann::json>& records) {
  const PositionCount count(topology);
  for (const nlohmann::json& record : records)
    if (const std::optional<std::string> problem = count.problem(record)) fail_input(*problem);
}

}  // namespace kvmesh::cli
