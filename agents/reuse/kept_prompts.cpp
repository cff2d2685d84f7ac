#include "agents/reuse/kept_prompts.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kvmesh::agents {
namespace {

std::int64_t common(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  const auto differs = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return std::distance(a.begin(), differs);
}

std::size_t bytes_of(const llm::KvCache& cache) {
  std::size_t bytes = 0;
  for (int l = 0; l < cache.layers(); ++l)
    bytes += cache.layer(l).key_store().nbytes() + cache.layer(l).value_store().nbytes();
  return bytes;
}

}  // namespace

std::int64_t KeptPrompts::begin(std::span<const std::int64_t> tokens, std::int64_t room, llm::KvCache& cache) {
  const std::span<const std::int64_t> reusable = tokens.first(tokens.empty() ? 0 : tokens.size() - 1);
  auto best = prompts_.end();
  std::int64_t rows = 0;
  for (auto prompt = prompts_.begin(); prompt != prompts_.end(); ++prompt) {
    const std::int64_t shared = common(reusable, prompt->tokens);
    if (shared <= rows) continue;
    rows = shared;
    best = prompt;
  }
  if (rows == 0) return 0;
  prompts_.splice(prompts_.end(), prompts_, best);
  for (int l = 0; l < cache.layers(); ++l) {
    const llm::LayerCache& from = best->cache->layer(l);
    llm::LayerCache& to = cache.layer(l);
    to.reserve(room);
    to.append(from.keys().narrow(0, 0, rows), from.values().narrow(0, 0, rows),
              {from.positions().begin(), from.positions().begin() + rows});
    to.next_position = rows;
  }
  return rows;
}

void KeptPrompts::keep(std::vector<std::int64_t> tokens, std::shared_ptr<const llm::KvCache> cache) {
  const auto rows = static_cast<std::size_t>(cache->layer(0).length());
  tokens.resize(std::min(tokens.size(), rows));
  const std::size_t bytes = bytes_of(*cache);
  if (tokens.empty() || bytes > budget_) return;
  for (auto prompt = prompts_.begin(); prompt != prompts_.end();) {
    const bool contained = common(prompt->tokens, tokens) == static_cast<std::int64_t>(prompt->tokens.size());
    prompt = contained ? drop(prompt) : std::next(prompt);
  }
  while (bytes_ + bytes > budget_) drop(prompts_.begin());
  bytes_ += bytes;
  prompts_.push_back({std::move(tokens), std::move(cache), bytes});
}

KeptPrompts::Prompts::iterator KeptPrompts::drop(Prompts::iterator prompt) {
  bytes_ -= prompt->bytes;
  return prompts_.erase(prompt);
}

}  // namespace kvmesh::agents
