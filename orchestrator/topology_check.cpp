#include "orchestrator/topology_check.hpp"

#include <algorithm>
#include <cctype>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "kvcodec/wire/edge_fit.hpp"
#include "orchestrator/liveness.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

/// What is wrong with the values of one part, for a topology that no reader has looked at.
class ValueCheck {
 public:
  explicit ValueCheck(const Topology& topology) : topology_(topology) {}

  std::vector<std::string> problems() {
    check_name("the topology", topology_.name, place(0));
    if (topology_.keep_mib != Topology{}.keep_mib && !kKeepMibRange.holds(topology_.keep_mib))
      complaints_.add(place(0), ": keep_mib is ", topology_.keep_mib, "; write ", wire::to_string(kKeepMibRange));
    if (topology_.liveness) complaints_.attempt([&] { check_liveness(*topology_.liveness); });
    if (topology_.models.empty()) complaints_.add(place(0), ": models is empty; add one");
    if (topology_.agents.empty()) complaints_.add(place(0), ": agents is empty; add one");
    for (const auto& [name, model] : topology_.models) check(name, model);
    std::set<std::string> names;
    for (const AgentSpec& agent : topology_.agents) {
      if (!names.insert(agent.name).second)
        complaints_.add(place(agent.line), ": agent ", agent.name, " stands in the topology twice; keep one");
      check(agent);
    }
    for (const Edge& edge : topology_.edges)
      for (const wire::EdgeProblem& problem : wire::edge_problems(edge.spec))
        complaints_.add(place(edge.line), ": edge ", wire::describe(edge.spec), ": ", problem.wrong, "; ", problem.fix);
    return complaints_.texts();
  }

 private:
  std::string place(int line) const { return where(topology_, line); }

  void check_name(const std::string& what, const std::string& name, const std::string& place) {
    if (!is_name(name)) complaints_.add(place, ": ", what, " has the unfit name \"", name, "\"; ", kNameRule);
  }

  void check(const std::string& name, const ModelSpec& model) {
    const std::string at = place(model.line);
    check_name("a model", name, at);
    if (model.path.empty())
      complaints_.add(at, ": model ", name, " has no path; name a checkpoint folder or a .gguf file");
    if (std::find(kDtypes.begin(), kDtypes.end(), model.dtype) == kDtypes.end())
      complaints_.add(at, ": dtype of model ", name, " is \"", model.dtype, "\"; write auto, fp32, bf16 or fp16");
    if (!is_device(model.device))
      complaints_.add(at, ": device of model ", name, " is \"", model.device, "\"; ", kDeviceRule);
  }

  void check(const AgentSpec& agent) {
    const std::string at = cat(place(agent.line), ": agent ", agent.name);
    check_name("an agent", agent.name, place(agent.line));
    complaints_.add_all(template_problems(agent, at + ": prompt", at + ": system"));
    if (agent.keep_mib != AgentSpec{}.keep_mib && !kKeepMibRange.holds(agent.keep_mib))
      complaints_.add(at, ": keep_mib is ", agent.keep_mib, "; write ", wire::to_string(kKeepMibRange));
    if (!agent.generate) return;
    if (!kMaxTokensRange.holds(agent.generate->max_tokens))
      complaints_.add(at, ": max_tokens is ", agent.generate->max_tokens, "; write ", wire::to_string(kMaxTokensRange));
    if (const std::string problem = problem_of(agent.generate->sampling); !problem.empty())
      complaints_.add(at, ": ", problem, "; change it");
  }

  const Topology& topology_;
  Complaints complaints_;
};

}  // namespace

const std::vector<std::string> kDtypes{"auto", "fp32", "bf16", "fp16"};

bool is_name(const std::string& text) {
  // Not of dots alone: ".." would be a folder's name.
  return text.find_first_not_of('.') != std::string::npos && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c == '.';
         });
}

bool is_device(const std::string& text) {
  const bool cuda = text.size() > 5 && text.size() < 9 && text.starts_with("cuda:") &&
                    std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return text == "cpu" || cuda;
}

std::vector<std::string> template_problems(const AgentSpec& agent, const std::string& prompt_place,
                                           const std::string& system_place) {
  Complaints complaints;
  complaints.attempt([&] { parse_prompt(agent.prompt, prompt_place); });
  complaints.attempt([&] {
    for (const PromptPart& part : parse_prompt(agent.system, system_place))
      if (part.kind == PromptPart::Kind::kFrom)
        complaints.add(system_place, ": a system message cannot hold {from.", part.text, "}; put it into the prompt");
  });
  if (!agent.system.empty() && !agent.chat)
    complaints.add(system_place,
                   ": a system message needs the chat template, and \"chat\" is false; leave one of them out");
  return complaints.texts();
}

void throw_problems(const std::vector<std::string>& problems) {
  std::string all;
  for (const std::string& problem : problems) all += cat(all.empty() ? "" : "\n", problem);
  if (!all.empty()) fail_input(all);
}

void check_topology(const Topology& topology, const std::string& call) {
  std::vector<std::string> problems = ValueCheck(topology).problems();
  // A graph of parts that are wrong in themselves has errors that follow from those.
  if (problems.empty()) problems = graph_problems(topology);
  for (std::string& problem : problems) problem.insert(0, call + ": ");
  throw_problems(problems);
}

std::vector<std::string> check_ends(const Topology& topology, const std::map<std::string, wire::Manifest>& manifests) {
  std::vector<std::string> problems;
  for (const Edge& edge : topology.edges) {
    if (!manifests.contains(edge.spec.from) || !manifests.contains(edge.spec.to)) continue;
    for (const std::string& problem :
         wire::unfit_ends(edge.spec, manifests.at(edge.spec.from), manifests.at(edge.spec.to))) {
      problems.push_back(cat(where(topology, edge.line), ": edge ", wire::describe(edge.spec), ": ", problem));
    }
  }
  for (const AgentSpec& agent : topology.agents) {
    if (!manifests.contains(agent.name)) continue;
    const std::int64_t limit = manifests.at(agent.name).max_position_embeddings;
    const std::int64_t tokens = generates(topology, agent) ? answer_tokens(topology, agent) : 0;
    if (tokens < limit) continue;
    problems.push_back(cat(where(topology, agent.line), ": agent ", agent.name, " may generate ", tokens,
                           " tokens, and its model has max_position_embeddings ", limit, "; ask for fewer"));
  }
  return problems;
}

}  // namespace kvmesh::orchestrator
