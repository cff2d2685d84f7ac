#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "llm/model/pass.hpp"

namespace kvmesh::llm {

/// The next token of one sequence.
struct NextToken {
  KvCache* cache = nullptr;
  std::int64_t id = 0;
};

/// Token after token, of one sequence or of several together: one forward pass for all of them, attention for each in
/// its own cache, the same logits as each would get alone. On the CPU, as long as the number of sequences stays and is
/// at most kernels::kFewRows, and KvCache::reserve has made room, a step after the first allocates nothing
/// (but the frequencies of a sequence that `dynamic` RoPE scaling stretches). A resource; one thread at a time.
class Decoder {
 public:
  /// `model` outlives the decoder.
  explicit Decoder(const Model& model) : model_(model), pass_(model) {}

  /// Adds each sequence's token to its cache and gives the logits behind it: fp32 [sequences, vocab_size], valid until
  /// the next call. Throws Error{kFixInput} on an id outside the table; nothing is added then.
  const at::Tensor& step(std::span<const NextToken> sequences);
  const at::Tensor& step(KvCache& cache, std::int64_t id);

 private:
  const Model& model_;
  Pass pass_;
  const PassHooks no_hooks_;
  std::vector<PassPart> parts_;
  std::vector<std::int64_t> ids_;
};

/// Requests of one model decoded together. They join and leave between steps.
class BatchDecoder {
 public:
  /// Up to so many requests the logits of each are, on the CPU, bit for bit those that it would get alone; with more,
  /// to rounding.
  static constexpr std::size_t kSameBits = 8;

  struct Request {
    /// Holds the prompt; outlives the request. Reserve what it may grow to.
    KvCache* cache = nullptr;
    std::int64_t first_token = 0;  ///< chosen from the prefill's logits; enters at the next step
    /// Chooses the request's next token from its logits, fp32 [1, vocab_size], which the next step overwrites; none: it
    /// has ended and leaves. Called from step(); throws nothing, adds and removes no request.
    std::function<std::optional<std::int64_t>(const at::Tensor& logits)> next;
  };

  /// `model` outlives the decoder.
  explicit BatchDecoder(const Model& model) : decoder_(model) {}

  void add(Request request);
  /// All leave.
  void clear() { active_.clear(); }
  std::size_t size() const { return active_.size(); }

  /// One token for every request that is here; gives how many there were.
  std::size_t step();

 private:
  struct Active {
    Request request;
    std::int64_t token;
  };
  const at::Tensor& row_of(const at::Tensor& logits, std::size_t i);

  Decoder decoder_;
  std::vector<Active> active_;
  std::vector<NextToken> tokens_;
  const void* rows_of_ = nullptr;  // the logits that rows_ are views of
  std::vector<at::Tensor> rows_;
};

}  // namespace kvmesh::llm
