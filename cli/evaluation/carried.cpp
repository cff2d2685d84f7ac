#include "cli/evaluation/carried.hpp"

namespace kvmesh::cli {

std::optional<double> carried(const std::vector<const ItemResult*>& method,
                              const std::vector<const ItemResult*>& baseline,
                              const std::vector<const ItemResult*>& skyline) {
  double without = 0, with = 0, best = 0, items = 0;
  for (std::size_t i = 0; i < method.size(); ++i) {
    if (!method[i]->answer_nats || !baseline[i]->answer_nats || !skyline[i]->answer_nats) continue;
    without += *baseline[i]->answer_nats;
    with += *method[i]->answer_nats;
    best += *skyline[i]->answer_nats;
    ++items;
  }
  if (items == 0 || without - best < kLeastGain * items) return std::nullopt;
  return (without - with) / (without - best);
}

const MethodResult* find_method(const std::vector<MethodResult>& results, const std::string& name) {
  for (const MethodResult& result : results)
    if (result.method == name) return &result;
  return nullptr;
}

}  // namespace kvmesh::cli
