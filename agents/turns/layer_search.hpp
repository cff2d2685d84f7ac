#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agents/wiring.hpp"
#include "bus/control.hpp"
#include "llm/cache/kv_cache.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// What a search of layers needs of one record at its receiver: everything that the senders had, what the receiver
/// reads, and what it is to say.
struct SearchSample {
  llm::KvCache shared;                           ///< all rows that came, at every layer; none of the receiver's own
  std::vector<std::vector<llm::RowRange>> rows;  ///< of each kv edge, at each layer
  at::Tensor prompt;                             ///< [tokens, hidden_size], embeddings
  std::vector<std::int64_t> target;              ///< not empty
  std::vector<std::vector<double>> attention;    ///< of each kv edge, a number for each layer

  std::size_t bytes() const;
  /// [tokens, hidden_size] of the prompt and of the target but its last.
  at::Tensor embeddings(const llm::Model& model) const;
  /// One edge's rows at one layer, but for the first of all: what is left out where the layer is not shared.
  llm::RowRange left_out(std::size_t edge, int layer) const;
};

/// The attention on one kv edge, a number for each layer: the mean over `samples`, of which there is at least one.
std::vector<double> mean_attention(const std::vector<SearchSample>& samples, std::size_t edge);

/// The samples of a calibration, until the last of them has come. The computing thread's own.
class SearchSamples {
 public:
  explicit SearchSamples(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Those of a calibration that did not come to its end are forgotten where another begins. Throws Error{kFixInput}
  /// with the numbers where there is no room, Error{kGiveUp} where one before it is missing.
  void add(const bus::Task& task, SearchSample sample);
  bool complete(const bus::Task& task) const { return samples_.size() == static_cast<std::size_t>(task.samples); }
  std::vector<SearchSample> take();

 private:
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::vector<SearchSample> samples_;
};

/// How a search tells how far it is; asked before each layer that is computed. May throw, which ends the search.
struct SearchHooks {
  std::function<void()> refuse_if_over;
  std::function<void(bus::Progress)> progress;  ///< now and then; the request is the caller's to say
};

/// The best layers of each size that the kv edge number `number` (of `edges`, the agent's kv edges in declared order)
/// may share, by loss, while the others share everything (docs/method.md). Fills all of EdgeScores but the attention.
/// The last samples check what the others chose.
bus::EdgeScores search_layers(const llm::Model& model, const std::vector<const InboundEdge*>& edges, std::size_t number,
                              const std::vector<SearchSample>& samples, const SearchHooks& hooks);

}  // namespace kvmesh::agents
