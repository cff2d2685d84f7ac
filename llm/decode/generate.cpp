#include "llm/decode/generate.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "llm/decode/decoder.hpp"

namespace kvmesh::llm {

Generator::Generator(GenerateOptions options)
    : options_(std::move(options)), sampler_(options_.sampling, options_.stream), history_(options_.prompt_tokens) {
  const auto most = static_cast<std::size_t>(std::max(options_.max_tokens, 0));
  history_.reserve(history_.size() + most);
  tokens_.reserve(most);
}

std::optional<std::int64_t> Generator::next(const at::Tensor& logits) {
  // The last token entered the cache for its pairs alone.
  if (static_cast<int>(tokens_.size()) >= options_.max_tokens) return std::nullopt;
  const std::int64_t id = sampler_.choose(logits, history_);
  const std::vector<std::int64_t>& stops = options_.stop_tokens;
  if (std::find(stops.begin(), stops.end(), id) != stops.end()) {
    if (options_.on_stop_token) options_.on_stop_token(id);
    return std::nullopt;
  }
  tokens_.push_back(id);
  history_.push_back(id);
  if (options_.on_token && !options_.on_token(id)) return std::nullopt;
  if (static_cast<int>(tokens_.size()) < options_.max_tokens || options_.complete_cache) return id;
  return std::nullopt;
}

std::vector<std::int64_t> generate(const Model& model, KvCache& cache, const at::Tensor& logits,
                                   const GenerateOptions& options) {
  c10::InferenceMode guard;
  Generator generator(options);
  Decoder decoder(model);
  std::optional<std::int64_t> id = generator.next(logits.narrow(0, logits.size(0) - 1, 1));
  while (id) id = generator.next(decoder.step(cache, *id));
  return generator.tokens();
}

}  // namespace kvmesh::llm
