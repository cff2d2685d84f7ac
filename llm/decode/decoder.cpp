#include "llm/decode/decoder.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "llm/kernels/linear.hpp"

namespace kvmesh::llm {

static_assert(BatchDecoder::kSameBits == kernels::kFewRows);

const at::Tensor& Decoder::step(std::span<const NextToken> sequences) {
  c10::InferenceMode guard;
  parts_.clear();
  ids_.clear();
  for (const NextToken& next : sequences) {
    parts_.push_back({.cache = next.cache});
    ids_.push_back(next.id);
  }
  model_.embed_into(pass_.begin(parts_), ids_);
  pass_.run(no_hooks_);
  return pass_.logits(0, static_cast<std::int64_t>(sequences.size()));
}

const at::Tensor& Decoder::step(KvCache& cache, std::int64_t id) {
  const NextToken next{&cache, id};
  return step({&next, 1});
}

void BatchDecoder::add(Request request) {
  const std::int64_t token = request.first_token;
  active_.push_back({std::move(request), token});
}

const at::Tensor& BatchDecoder::row_of(const at::Tensor& logits, std::size_t i) {
  const auto rows = static_cast<std::size_t>(logits.size(0));
  if (rows_of_ != logits.data_ptr() || rows_.size() != rows) {
    rows_of_ = logits.data_ptr();
    rows_.clear();
    for (std::size_t row = 0; row < rows; ++row) rows_.push_back(logits.narrow(0, static_cast<std::int64_t>(row), 1));
  }
  return rows_[i];
}

std::size_t BatchDecoder::step() {
  if (active_.empty()) return 0;
  c10::InferenceMode guard;
  tokens_.clear();
  for (const Active& active : active_) tokens_.push_back({active.request.cache, active.token});
  const at::Tensor& logits = decoder_.step(tokens_);

  auto staying = active_.begin();
  for (std::size_t row = 0; row < tokens_.size(); ++row) {
    Active& active = active_[row];
    const std::optional<std::int64_t> token = active.request.next(row_of(logits, row));
    if (!token) continue;
    active.token = *token;
    if (&*staying != &active) *staying = std::move(active);
    ++staying;
  }
  active_.erase(staying, active_.end());
  return tokens_.size();
}

}  // namespace kvmesh::llm
