#include "agents/llm/decoder.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <exception>

namespace kvmesh::llm {

void Decoder::run(std::span<const NextToken> sequences) {
  parts_.clear();
  ids_.clear();
  for (const NextToken& next : sequences) {
    parts_.push_back({.cache = next.cache});
    ids_.push_back(next.id);
  }
  model_.embed_into(pass_.begin(parts_), ids_);
  pass_.run(no_hooks_);
}

const at::Tensor& Decoder::step(std::span<const NextToken> sequences) {
  c10::InferenceMode guard;
  run(sequences);
  return pass_.logits(0, static_cast<std::int64_t>(sequences.size()));
}

const at::Tensor& Decoder::step(KvCache& cache, std::int64_t id) {
  const NextToken next{&cache, id};
  return step({&next, 1});
}

void Decoder::complete(KvCache& cache, std::int64_t id) {
  c10::InferenceMode guard;
  const NextToken next{&cache, id};
  run({&next, 1});
}

BatchDecoder::Id BatchDecoder::add(Request request) {
  const std::int64_t token = request.first_token;
  active_.push_back({++last_id_, std::move(request), token});
  return last_id_;
}

bool BatchDecoder::remove(Id id) {
  return std::erase_if(active_, [id](const Active& active) { return active.id == id; }) > 0;
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

  std::exception_ptr failure;
  auto staying = active_.begin();
  for (std::size_t row = 0; row < tokens_.size(); ++row) {
    Active& active = active_[row];
    std::optional<std::int64_t> token;
    try {
      token = active.request.next(row_of(logits, row));
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
    if (!token) continue;
    active.token = *token;
    if (&*staying != &active) *staying = std::move(active);
    ++staying;
  }
  active_.erase(staying, active_.end());
  if (failure) std::rethrow_exception(failure);
  return tokens_.size();
}

}  // namespace kvmesh::llm
