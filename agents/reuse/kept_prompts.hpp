#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "llm/cache/kv_cache.hpp"

namespace kvmesh::agents {

/// Caches of prompts that this agent has read lately, so that a prompt that begins like one of them is computed from
/// where they part. Only prompts whose rows depend on their tokens alone: nothing shared in front, no vectors among
/// them, no frequencies that depend on the length.
///
/// Bound: `budget_bytes` of rows, counting what their caches have room for; the prompt used longest ago goes first, and
/// one that does not fit alone is not kept. One thread at a time.
class KeptPrompts {
 public:
  explicit KeptPrompts(std::size_t budget_bytes) : budget_(budget_bytes) {}

  /// Copies into the empty `cache` the rows of the longest beginning that `tokens` share with a kept prompt, save that
  /// the last token is left to compute, and sets it up for the next, with room for `room` rows. Gives the number of
  /// rows at each layer.
  std::int64_t begin(std::span<const std::int64_t> tokens, std::int64_t room, llm::KvCache& cache);

  /// `cache`, which nobody changes any more, holds rows of `tokens` at positions from 0, and may hold fewer or more. A
  /// prompt that it begins with is not kept apart any longer.
  void keep(std::vector<std::int64_t> tokens, std::shared_ptr<const llm::KvCache> cache);

  /// Bytes of the caches that are kept.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Prompt {
    std::vector<std::int64_t> tokens;
    std::shared_ptr<const llm::KvCache> cache;
    std::size_t bytes = 0;
  };
  using Prompts = std::list<Prompt>;  ///< the one used longest ago first

  Prompts::iterator drop(Prompts::iterator prompt);

  const std::size_t budget_;
  std::size_t bytes_ = 0;
  Prompts prompts_;
};

}  // namespace kvmesh::agents
