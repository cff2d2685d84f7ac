#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/evaluation/dataset.hpp"
#include "cli/evaluation/item_result.hpp"
#include "cli/evaluation/mesh.hpp"
#include "cli/evaluation/method.hpp"
#include "cli/preflight.hpp"
#include "cli/start_options.hpp"

namespace kvmesh::cli {

struct EvaluationOptions {
  bool in_process = false;
  int threads = 0;  ///< compute threads an agent; 0: the cores over those that begin together
  int samples = 0;  ///< calibration records to average over, at most; 0: one of calibration.jsonl, or all that were
                    ///< taken from the scored files
  StartOptions start;
  std::function<void(const std::string&)> log;  ///< hears how calibration goes on, a line each, from any thread
};

/// A data set through methods, each through a mesh of its own. Layers are calibrated once for each group of items, on
/// records that are not scored, and all methods use the same scores: by attention, and by loss from the first method on
/// that chooses so.
class Evaluation {
 public:
  Evaluation(Comparison comparison, std::vector<DatasetGroup> groups, EvaluationOptions options);

  const std::vector<DatasetGroup>& groups() const { return groups_; }
  std::size_t items() const;

  /// Throws Error{kFixInput} where `method` does not fit the models, with the numbers. Starts nothing.
  void check(const Method& method, Look look) const;

  /// `on_item` is told of each item as it is done. Throws Error where the mesh itself fails.
  MethodResult run(const Method& method, const std::function<void(const ItemResult&)>& on_item);

  /// Writes what `result` came from into `folder`, which is there: METHOD.yaml, input.jsonl, profile.json where layers
  /// are calibrated, and METHOD.answers.jsonl. `kvmesh run METHOD.yaml --input input.jsonl` gives the same answers.
  /// Where items have several contexts the names end in "-N-contexts".
  void emit(const Method& method, const MethodResult& result, const std::filesystem::path& folder) const;

 private:
  orchestrator::Topology topology(const Method& method, const DatasetGroup& group) const;
  void calibrate(const Method& method, const orchestrator::Topology& topology, const DatasetGroup& group, Mesh& mesh);

  const Comparison comparison_;
  const std::vector<DatasetGroup> groups_;
  const EvaluationOptions options_;
  ModelShelf shelf_;
  std::map<std::pair<std::size_t, bool>, orchestrator::Profile>
      profiles_;  ///< by number of contexts, and by heads or not
  std::atomic<bool> calibrating_ = false;
};

}  // namespace kvmesh::cli
