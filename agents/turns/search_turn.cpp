#include "agents/turns/search_turn.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/wire/search_cost.hpp"

namespace kvmesh::agents {
namespace {

std::vector<std::int64_t> target_of(const SearchTurn& turn) {
  if (!turn.right_answer.empty()) return turn.right_answer;
  std::vector<std::int64_t> said = turn.said;
  if (said.empty())
    fail_input(
        "layers are to be chosen by loss on a record without an answer, and when everything is shared this agent says "
        "nothing; give the record an \"answer\", or write by: attention");
  said.resize(std::min<std::size_t>(said.size(), wire::kOwnTargetTokens));
  return said;
}

SearchSample sample_of(const SearchTurn& turn, const std::vector<bus::EdgeScores>& scores) {
  if (turn.injected)
    fail_input("layers cannot be chosen by loss where an activation edge leads to the same agent; write by: attention");
  std::vector<std::int64_t> target = target_of(turn);
  const std::int64_t own_rows = turn.prompt.size(0) + static_cast<std::int64_t>(target.size()) - 1;
  llm::KvCache& cache = turn.kv.cache();
  std::vector<llm::LayerCache> layers;
  for (int l = 0; l < cache.layers(); ++l) layers.push_back(cache.layer(l).shared_alone(own_rows));
  SearchSample sample{.shared = llm::KvCache(std::move(layers)),
                      .rows = {},
                      .prompt = turn.prompt,
                      .target = std::move(target),
                      .attention = {}};
  for (std::size_t i = 0; i < turn.edges.size(); ++i) {
    sample.rows.push_back(turn.kv.rows(i));
    sample.attention.push_back(scores.at(i).scores);
  }
  return sample;
}

}  // namespace

void gather_or_search(const SearchTurn& turn, SearchSamples& samples, const SearchHooks& hooks,
                      std::vector<bus::EdgeScores>& scores) {
  samples.add(turn.task, sample_of(turn, scores));
  if (!samples.complete(turn.task)) return;
  const std::vector<SearchSample> all = samples.take();
  SearchHooks named = hooks;
  if (hooks.progress)
    named.progress = [&](bus::Progress progress) {
      progress.request = turn.task.request;
      hooks.progress(std::move(progress));
    };
  for (std::size_t i = 0; i < turn.edges.size(); ++i) {
    const std::vector<std::string>& wanted = turn.task.search;
    if (std::find(wanted.begin(), wanted.end(), turn.edges[i]->spec.from) == wanted.end()) continue;
    bus::EdgeScores found = search_layers(turn.model, turn.edges, i, all, named);
    found.scores = std::move(scores[i].scores);
    scores[i] = std::move(found);
  }
}

}  // namespace kvmesh::agents
