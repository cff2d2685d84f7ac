#include "cli/length_check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"

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

}  // namespace

LengthCheck::LengthCheck(const Topology& topology) : topology_(topology) {
  for (const std::string& name : orchestrator::topological_order(topology)) {
    order_.push_back(&orchestrator::get_agent(topology, name));
    const auto& folder = orchestrator::model_of(topology, *order_.back()).path;
    if (!sizers_.contains(folder)) sizers_.emplace(folder, folder);
  }
}

std::optional<std::string> LengthCheck::problem(const nlohmann::json& record) const {
  std::map<std::string, Span> own;  // positions of each agent's own tokens
  for (const AgentSpec* agent : order_) {
    const auto& folder = orchestrator::model_of(topology_, *agent).path;
    const PromptSizer& sizer = sizers_.at(folder);
    const std::int64_t before = shared_before(*agent, own), output = longest_output(topology_, *agent);
    const PromptLength prompt = sizer.length(*agent, record);
    const std::int64_t all = before + prompt.tokens + output;
    own[agent->name] = {before, before + prompt.tokens};
    if (all <= sizer.positions() && !prompt.or_more) continue;
    std::string parts = cat("its prompt of ", to_string(prompt), " tokens");
    if (before > 0) parts = cat("shared contexts of ", before, " tokens and ", parts);
    if (output > 0) parts += cat(before > 0 ? "," : "", " and up to ", output, " to generate");
    return cat("record ", orchestrator::record_id(record), " is too long for agent ", agent->name, ": it takes ",
               to_string({all, prompt.or_more}), " positions (", parts, "), and ", folder.string(), " has ",
               sizer.described_limit(), "; shorten the record or ask for fewer tokens");
  }
  return std::nullopt;
}

/// Contexts follow one another; the first stands where its sender computed it.
std::int64_t LengthCheck::shared_before(const AgentSpec& agent, const std::map<std::string, Span>& own) const {
  std::int64_t position = 0;
  for (const Edge* edge : orchestrator::inbound_edges(topology_, agent.name)) {
    if (edge->spec.medium != wire::Medium::kKv) continue;
    const Span& sender = own.at(edge->spec.from);
    position += position == 0 || edge->spec.forward ? sender.end : sender.end - sender.begin;
  }
  return position;
}

}  // namespace kvmesh::cli
