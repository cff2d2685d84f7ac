#include "agents/turns/turn_plan.hpp"

#include <algorithm>

namespace kvmesh::agents {

TurnPlan plan_turn(const Wiring& wiring, const bus::Task& task) {
  TurnPlan plan{.needs_all_kv_first = task.calibrate, .max_tokens = task.generate ? task.max_tokens : 0};
  for (const InboundEdge& edge : wiring.inbound) {
    if (edge.spec.medium != wire::Medium::kKv) continue;
    if (edge.spec.mask != wire::Mask::kCausal || edge.spec.positions != wire::Positions::kContinue)
      plan.needs_all_kv_first = true;
  }
  for (const OutboundEdge& edge : wiring.outbound) {
    const wire::EdgeSpec& spec = edge.spec;
    if (spec.forward) plan.needs_all_kv_first = true;
    const bool shares_output = spec.medium == wire::Medium::kKv && spec.share == wire::Share::kPromptAndOutput;
    if (shares_output || spec.medium == wire::Medium::kText)
      plan.max_tokens = std::max(plan.max_tokens, spec.max_tokens);
    plan.shares_output = plan.shares_output || shares_output;
    if (spec.medium != wire::Medium::kEmbedding) continue;
    plan.says_vectors = true;
    plan.longest_output = std::max(plan.longest_output, spec.max_tokens);
  }
  plan.longest_output = std::max(plan.longest_output, plan.max_tokens);
  plan.generates = task.generate || plan.max_tokens > 0;
  return plan;
}

}  // namespace kvmesh::agents
