#include "agents/llm/generate.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "agents/llm/decoder.hpp"
#include "agents/llm/sampler.hpp"

namespace kvmesh::llm {

Generation generate(const Model& model, KvCache& cache, const at::Tensor& logits, const GenerateOptions& options) {
  c10::InferenceMode guard;
  Sampler sampler(options.sampling, options.stream);
  Decoder decoder(model);
  std::vector<std::int64_t> history = options.prompt_tokens;
  history.reserve(history.size() + static_cast<std::size_t>(std::max(options.max_tokens, 0)));
  Generation generation;
  at::Tensor next = logits.select(0, logits.size(0) - 1);
  while (static_cast<int>(generation.tokens.size()) < options.max_tokens) {
    const std::int64_t id = sampler.choose(next, history);
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), id) != options.stop_tokens.end()) {
      generation.stopped = true;
      return generation;
    }
    generation.tokens.push_back(id);
    history.push_back(id);
    if (options.on_token && !options.on_token(id)) return generation;
    if (static_cast<int>(generation.tokens.size()) < options.max_tokens) {
      next = decoder.step(cache, id);
    } else if (options.complete_cache) {
      decoder.complete(cache, id);
    }
  }
  return generation;
}

}  // namespace kvmesh::llm
