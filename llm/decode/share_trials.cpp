#include "llm/decode/share_trials.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <deque>

#include "llm/decode/target_nats.hpp"

namespace kvmesh::llm {
namespace {

/// Rows whose logits are made at once: a vocabulary of 256,000 takes a MiB a row.
constexpr std::int64_t kLogitRows = 64;

}  // namespace

ShareTrials::ShareTrials(const Model& model, std::vector<TrialPrompt> prompts,
                         std::function<void(std::int64_t rows)> before_layer)
    : model_(model),
      prompts_(std::move(prompts)),
      before_layer_(std::move(before_layer)),
      layers_(static_cast<int>(model.config().num_hidden_layers)),
      bases_(prompts_.size()),
      pass_(model) {}

std::int64_t ShareTrials::tokens(std::size_t first, std::size_t count) const {
  std::int64_t tokens = 0;
  for (std::size_t p = first; p < first + count; ++p) tokens += prompts_.at(p).tokens();
  return tokens;
}

/// The last layer where nothing differs: all that is asked of the base itself.
int ShareTrials::first_difference(std::size_t prompt, const Mask& mask) const {
  const Mask& base = bases_[prompt].mask;
  if (base.empty()) return 0;
  const auto differs = std::mismatch(mask.begin(), mask.end(), base.begin()).first - mask.begin();
  const auto of_a_layer = static_cast<std::ptrdiff_t>(mask.size()) / layers_;
  return std::min(static_cast<int>(differs / of_a_layer), layers_ - 1);
}

std::vector<std::vector<double>> ShareTrials::nats(const Mask& base, std::span<const Mask> masks, std::size_t first,
                                                   std::size_t count) {
  c10::InferenceMode guard;
  move_bases(base, first, count);
  std::vector<Job> jobs;
  for (const Mask& mask : masks)
    for (std::size_t p = first; p < first + count; ++p)
      jobs.push_back({.prompt = p, .mask = &mask, .first_layer = first_difference(p, mask)});
  std::vector<Job*> all;
  for (Job& job : jobs) all.push_back(&job);
  run(std::move(all));
  std::vector<std::vector<double>> nats(masks.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) nats[i / count].push_back(jobs[i].nats);
  return nats;
}

void ShareTrials::move_bases(const Mask& base, std::size_t first, std::size_t count) {
  std::deque<Job> jobs;
  std::vector<Job*> all;
  for (std::size_t p = first; p < first + count; ++p) {
    Base& ours = bases_.at(p);
    if (ours.mask == base) continue;
    jobs.push_back({.prompt = p, .mask = &base, .first_layer = first_difference(p, base), .becomes_base = true});
    all.push_back(&jobs.back());
    if (!ours.states.defined())
      ours.states =
          at::empty({layers_, prompts_[p].tokens(), model_.config().hidden_size}, prompts_[p].embeddings.options());
    if (ours.mask.empty()) ours.states[0].copy_(prompts_[p].embeddings);
    ours.mask.clear();  // until all states are there
  }
  run(all);
  for (const Job* job : all) bases_[job->prompt].mask = base;
}

/// In batches of those that begin at near layers.
void ShareTrials::run(std::vector<Job*> jobs) {
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const Job* left, const Job* right) { return left->first_layer < right->first_layer; });
  for (std::size_t begin = 0; begin < jobs.size();) {
    std::size_t end = begin;
    for (std::int64_t rows = 0; end < jobs.size(); ++end) {
      rows += prompts_[jobs[end]->prompt].tokens();
      if (end > begin && rows > kBatchRows) break;
    }
    run_batch(std::span(jobs).subspan(begin, end - begin));
    begin = end;
  }
}

KvCache ShareTrials::cache_of(const Job& job) const {
  const TrialPrompt& prompt = prompts_[job.prompt];
  const auto heads = static_cast<std::ptrdiff_t>(job.mask->size()) / layers_;
  std::vector<LayerCache> layers;
  for (int l = 0; l < layers_; ++l) {
    const auto first = job.mask->begin() + l * heads, end = first + heads;
    if (std::find(first, end, true) == end) {
      layers.push_back(prompt.reduced.layer(l).view());
      continue;
    }
    LayerCache& layer = layers.emplace_back(prompt.whole.layer(l).view());
    for (auto head = first; head != end; ++head)
      if (!*head) layer.hide(head - first, prompt.left_out[static_cast<std::size_t>(l)]);
  }
  return KvCache(std::move(layers));
}

/// The jobs stand in the order of their first layers, and join there.
void ShareTrials::run_batch(std::span<Job* const> jobs) {
  std::deque<KvCache> caches;
  std::vector<PassPart> parts;
  at::Tensor* hidden = nullptr;
  for (int layer = jobs.front()->first_layer; layer < layers_;) {
    const at::Tensor before = hidden != nullptr ? hidden->clone() : at::Tensor();
    std::vector<at::Tensor> joining;
    for (std::size_t j = parts.size(); j < jobs.size() && jobs[j]->first_layer == layer; ++j) {
      const std::int64_t tokens = prompts_[jobs[j]->prompt].tokens();
      caches.push_back(cache_of(*jobs[j]));
      parts.push_back({.cache = &caches.back(), .tokens = tokens, .rows_to_come = tokens, .phase = Phase::kPrefill});
      joining.push_back(bases_[jobs[j]->prompt].states[layer]);
    }
    if (before.defined()) joining.insert(joining.begin(), before);
    hidden = &pass_.begin(parts);
    at::cat_out(*hidden, joining);
    const int next = parts.size() < jobs.size() ? jobs[parts.size()]->first_layer : layers_;
    const auto here = jobs.first(parts.size());
    PassHooks hooks{.shared_memory = true};
    hooks.before_layer = [&](int at, at::Tensor& states) {
      before_layer_(states.size(0));
      keep_states(here, at, states);
    };
    pass_.run_layers(layer, next, hooks);
    layer = next;
  }
  read_nats(jobs, *hidden);
}

void ShareTrials::keep_states(std::span<Job* const> jobs, int layer, const at::Tensor& hidden) {
  std::int64_t row = 0;
  for (const Job* job : jobs) {
    const std::int64_t tokens = prompts_[job->prompt].tokens();
    // Layer 0 keeps the embeddings, which every pass scales anew.
    if (job->becomes_base && layer > 0) bases_[job->prompt].states[layer].copy_(hidden.narrow(0, row, tokens));
    row += tokens;
  }
}

/// The rows that expect a target's tokens are the last of each job. They move to the front, where logits are made of
/// them.
void ShareTrials::read_nats(std::span<Job* const> jobs, at::Tensor& hidden) {
  std::vector<at::Tensor> rows;
  std::int64_t row = 0;
  for (const Job* job : jobs) {
    const TrialPrompt& prompt = prompts_[job->prompt];
    row += prompt.tokens();
    const auto count = static_cast<std::int64_t>(prompt.target.size());
    if (!job->becomes_base) rows.push_back(hidden.narrow(0, row - count, count));
  }
  if (rows.empty()) return;
  const at::Tensor asked = at::cat(rows);
  hidden.narrow(0, 0, asked.size(0)).copy_(asked);
  std::vector<at::Tensor> logits;
  std::int64_t made = 0, read = 0;
  at::Tensor chunk;
  for (Job* job : jobs) {
    if (job->becomes_base) continue;
    job->nats = 0;
    for (const std::int64_t id : prompts_[job->prompt].target) {
      if (read == made) {
        const std::int64_t count = std::min(kLogitRows, asked.size(0) - made);
        chunk = pass_.logits(made, count);
        made += count;
      }
      job->nats += nats_of(chunk.narrow(0, chunk.size(0) - (made - read), 1), {&id, 1});
      ++read;
    }
  }
}

}  // namespace kvmesh::llm
