#include "agents/llm/generate.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "agents/llm/sampler.hpp"

namespace kvmesh::llm {

Generation generate(const Model& model, KvCache& cache, const at::Tensor& logits, const GenerateOptions& options) {
  c10::InferenceMode guard;
  Sampler sampler(options.sampling, options.stream);
  std::vector<std::int64_t> history = options.prompt_tokens;
  Generation generation;
  at::Tensor next = logits;
  while (static_cast<int>(generation.tokens.size()) < options.max_tokens) {
    const std::int64_t id = sampler.choose(next.select(0, next.size(0) - 1), history);
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), id) != options.stop_tokens.end()) {
      generation.stopped = true;
      return generation;
    }
    generation.tokens.push_back(id);
    history.push_back(id);
    if (options.on_token && !options.on_token(id)) return generation;
    const bool last = static_cast<int>(generation.tokens.size()) == options.max_tokens;
    if (last && !options.complete_cache) return generation;
    next = model
               .forward({.embeddings = model.embed({&id, 1}),
                         .phase = Phase::kDecode,
                         .logits = last ? LogitRows::kNone : LogitRows::kLast},
                        cache)
               .logits;
  }
  return generation;
}

}  // namespace kvmesh::llm
