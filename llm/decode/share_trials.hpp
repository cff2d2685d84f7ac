#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "llm/cache/kv_cache.hpp"
#include "llm/model/model.hpp"
#include "llm/model/pass.hpp"

namespace kvmesh::llm {

/// A prompt behind what others shared, and what is to be said behind it.
struct TrialPrompt {
  KvCache whole;          ///< all that came, at every layer; room for `embeddings`' rows behind it
  KvCache reduced;        ///< the same without what may be left out
  at::Tensor embeddings;  ///< [tokens, hidden_size] of the prompt, not yet scaled, and of `target` but its last
  std::vector<std::int64_t> target;  ///< not empty
  std::vector<RowRange> left_out;    ///< of each layer, what `whole` has and `reduced` has not

  std::int64_t tokens() const { return embeddings.size(0); }
};

/// What prompts would cost their receiver if only some layers, or KV heads, were shared: the nats of each target,
/// teacher-forced, behind the whole cache at some layers or heads and the reduced one at the others.
///
/// Several masks and prompts go through together, for products of many rows; each takes part from the first layer at
/// which it differs from the base on, whose states at every layer are kept. The senders' rows lie in memory once: masks
/// write their own rows behind them in turn. A resource; one thread at a time.
class ShareTrials {
 public:
  /// Where the whole cache is seen: a flag for each layer, or one for each KV head, layer after layer. All masks of one
  /// ShareTrials are of the same kind.
  using Mask = std::vector<bool>;

  /// `model` outlives this. `before_layer` is called before `rows` rows go through a layer; what it throws ends nats().
  ShareTrials(const Model& model, std::vector<TrialPrompt> prompts,
              std::function<void(std::int64_t rows)> before_layer);

  /// nats[m][p] of `masks[m]` on prompt `first + p`, p < count.
  std::vector<std::vector<double>> nats(const Mask& base, std::span<const Mask> masks, std::size_t first,
                                        std::size_t count);

  std::size_t prompts() const { return prompts_.size(); }
  /// Of prompts [first, first + count) together.
  std::int64_t tokens(std::size_t first, std::size_t count) const;

  /// Rows that go through a layer together, at most, but for a single prompt of more.
  static constexpr std::int64_t kBatchRows = Model::kPrefillChunk;

 private:
  /// What enters each layer where the base is shared.
  struct Base {
    Mask mask;
    at::Tensor states;  ///< [layers, tokens, hidden_size]
  };
  /// One mask on one prompt.
  struct Job {
    std::size_t prompt = 0;
    const Mask* mask = nullptr;
    int first_layer = 0;
    bool becomes_base = false;  ///< and its loss is not asked for
    double nats = 0;
  };

  int first_difference(std::size_t prompt, const Mask& mask) const;
  void move_bases(const Mask& base, std::size_t first, std::size_t count);
  void run(std::vector<Job*> jobs);
  void run_batch(std::span<Job* const> jobs);
  KvCache cache_of(const Job& job) const;
  void keep_states(std::span<Job* const> jobs, int layer, const at::Tensor& hidden);
  void read_nats(std::span<Job* const> jobs, at::Tensor& hidden);

  const Model& model_;
  const std::vector<TrialPrompt> prompts_;
  const std::function<void(std::int64_t rows)> before_layer_;
  const int layers_;
  std::vector<Base> bases_;
  Pass pass_;
};

}  // namespace kvmesh::llm
