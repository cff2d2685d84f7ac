#include "llm/decode/target_nats.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// Takes rows that were added to a cache away again, whatever ends the scope.
class RowsOnTrial {
 public:
  explicit RowsOnTrial(KvCache& cache) : cache_(cache), lengths_(cache.lengths()) {}
  ~RowsOnTrial() {
    for (int l = 0; l < cache_.layers(); ++l) {
      LayerCache& layer = cache_.layer(l);
      layer.drop_own(layer.length() - lengths_[static_cast<std::size_t>(l)]);
    }
  }
  RowsOnTrial(const RowsOnTrial&) = delete;
  RowsOnTrial& operator=(const RowsOnTrial&) = delete;

 private:
  KvCache& cache_;
  const std::vector<std::int64_t> lengths_;
};

/// The nats of a target's tokens but the first.
double nats_behind_first(const Model& model, KvCache& cache, std::span<const std::int64_t> target) {
  if (target.size() == 1) return 0;
  const RowsOnTrial rows(cache);
  const ForwardOutput output = model.forward({.embeddings = model.embed(target.first(target.size() - 1)),
                                              .phase = Phase::kDecode,
                                              .logits = LogitRows::kAll},
                                             cache);
  return nats_of(output.logits, target.subspan(1));
}

void refuse_unknown_ids(const Model& model, std::span<const std::vector<std::int64_t>> targets) {
  const std::int64_t vocabulary = model.config().vocab_size;
  for (const std::vector<std::int64_t>& target : targets)
    for (const std::int64_t id : target)
      if (id < 0 || id >= vocabulary)
        fail_input("token id ", id, " of a target is outside the vocabulary of ", vocabulary, " tokens");
}

}  // namespace

double nats_of(const at::Tensor& logits, std::span<const std::int64_t> ids) {
  TORCH_INTERNAL_ASSERT(logits.dim() == 2 && logits.size(0) == static_cast<std::int64_t>(ids.size()));
  c10::InferenceMode guard;
  double nats = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= logits.size(1))
      fail_input("token id ", ids[i], " of a target is outside the vocabulary of ", logits.size(1), " tokens");
    // Row by row: in double all rows of a large vocabulary would be tens of MiB.
    const at::Tensor row = logits.select(0, static_cast<std::int64_t>(i)).to(at::kDouble);
    nats += row.logsumexp(0).item<double>() - row[ids[i]].item<double>();
  }
  if (std::isnan(nats)) throw Error(ErrorKind::kGiveUp, "a logit of the model is not a number");
  return nats;
}

TargetNats best_target(const Model& model, KvCache& cache, const at::Tensor& last_logits,
                       std::span<const std::vector<std::int64_t>> targets) {
  TORCH_INTERNAL_ASSERT(!targets.empty());
  refuse_unknown_ids(model, targets);
  TargetNats best{.nats = std::numeric_limits<double>::infinity()};
  for (std::size_t which = 0; which < targets.size(); ++which) {
    const std::span<const std::int64_t> target = targets[which];
    double nats = nats_of(last_logits, target.first(1));
    // No token costs less than nothing: what begins too dearly need not be computed to its end.
    if (nats >= best.nats) continue;
    nats += nats_behind_first(model, cache, target);
    if (nats < best.nats) best = {nats, which};
  }
  return best;
}

}  // namespace kvmesh::llm
