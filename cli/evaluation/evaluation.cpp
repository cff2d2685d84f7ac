#include "cli/evaluation/evaluation.hpp"

#include <algorithm>
#include <fstream>

#include "base/error.hpp"
#include "cli/evaluation/measured_profile.hpp"
#include "cli/evaluation/scoring.hpp"
#include "orchestrator/topology_check.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

ItemResult result_of(const EvalItem& item, const orchestrator::RecordOutcome& outcome) {
  ItemResult result{.id = item.id, .task = item.task, .answer = outcome.output};
  for (const bus::EdgeReport& edge : outcome.edges) {
    result.bytes += edge.bytes;
    if (result.layers.empty()) result.layers = edge.layers;
  }
  for (const auto& [agent, part] : outcome.results) {
    result.prefill_tokens += part.prefill_tokens;
    result.generated_tokens += part.generated_tokens;
    result.flops += part.flops;
  }
  result.ttft_ms = outcome.ttft_ms;
  result.receiver_ttft_ms = outcome.receiver_ttft_ms;
  result.error = outcome.error.value_or("");
  if (!result.error.empty()) return result;
  result.score = score_answer(outcome.output, item.answers);
  result.answer_nats = outcome.target_nats;
  return result;
}

/// "kv-0.3" of "kv:0.3", and what tells groups apart.
std::string file_stem(const std::string& name, const DatasetGroup& group) {
  std::string stem = name;
  std::replace_if(
      stem.begin(), stem.end(), [](char c) { return c == ':' || c == '=' || c == '/'; }, '-');
  return group.contexts == 1 ? stem : cat(stem, "-", group.contexts, "-contexts");
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  if (!out.flush()) throw Error(ErrorKind::kGiveUp, cat("--emit: ", path.string(), " cannot be written to its end"));
}

std::string line_of(const nlohmann::json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

Evaluation::Evaluation(Comparison comparison, std::vector<DatasetGroup> groups, EvaluationOptions options)
    : comparison_(std::move(comparison)), groups_(std::move(groups)), options_(options) {}

std::size_t Evaluation::items() const {
  std::size_t items = 0;
  for (const DatasetGroup& group : groups_) items += group.items.size();
  return items;
}

orchestrator::Topology Evaluation::topology(const Method& method, const DatasetGroup& group) const {
  return orchestrator::parse_topology(topology_of(method, comparison_, group.contexts), cat("method ", method.name));
}

void Evaluation::check(const Method& method, Look look) const {
  for (const DatasetGroup& group : groups_) orchestrator::throw_problems(model_problems(topology(method, group), look));
}

void Evaluation::calibrate(const Method& method, const orchestrator::Topology& topology, const DatasetGroup& group,
                           Mesh& mesh) {
  const std::pair key(group.contexts, method.by_heads());
  auto profile = profiles_.find(key);
  const wire::EdgeSpec& spec = topology.edges.front().spec;
  const bool bits = spec.wire == wire::WireDtype::kAuto;  // are chosen anew for each method's layers
  const bool lacks = profile != profiles_.end() && spec.layers.by_loss() && profile->second.edges.front().path.empty();
  if (profile == profiles_.end() || lacks || bits) {
    std::size_t samples = options_.samples > 0           ? static_cast<std::size_t>(options_.samples)
                          : group.calibration_from_items ? group.calibration.size()
                                                         : 1;
    samples = std::min(samples, group.calibration.size());
    std::vector<nlohmann::json> records;
    for (std::size_t i = 0; i < samples; ++i) {
      records.push_back(group.calibration[i].record);
      records.back()["answers"] = group.calibration[i].answers;
    }
    calibrating_ = true;
    profile = profiles_
                  .insert_or_assign(key, measured_profile(topology, mesh.models(), mesh.calibrate(records),
                                                          static_cast<int>(samples)))
                  .first;
    calibrating_ = false;
  }
  mesh.set_scores(orchestrator::scores_for(topology, profile->second, mesh.models()));
}

MethodResult Evaluation::run(const Method& method, const std::function<void(const ItemResult&)>& on_item) {
  MethodResult result{.method = method.name, .items = {}};
  for (const DatasetGroup& group : groups_) {
    const orchestrator::Topology graph = topology(method, group);
    const auto log = [this](const std::string& text) {
      if (calibrating_ && options_.log) options_.log(text);
    };
    const std::unique_ptr<Mesh> mesh = options_.in_process
                                           ? start_in_process(graph, options_.threads, shelf_, log)
                                           : start_processes(graph, options_.threads, options_.start, log);
    if (method.calibrated()) calibrate(method, graph, group, *mesh);
    for (std::size_t i = 0; i < group.items.size(); ++i) {
      result.items.push_back(result_of(group.items[i], mesh->run(group.items[i].record, i, group.items[i].answers)));
      if (on_item) on_item(result.items.back());
    }
  }
  return result;
}

void Evaluation::emit(const Method& method, const MethodResult& result, const std::filesystem::path& folder) const {
  std::size_t next = 0;
  for (const DatasetGroup& group : groups_) {
    const char* shared = method.by_heads() ? "profile-heads" : "profile";
    const std::string profile = file_stem(method.chooses_bits() ? method.name + "-profile" : shared, group) + ".json";
    if (method.calibrated())
      write(folder / profile, orchestrator::to_json(profiles_.at({group.contexts, method.by_heads()})));
    write(folder / (file_stem(method.name, group) + ".yaml"),
          topology_of(method, comparison_, group.contexts, profile));
    std::string input, answers;
    for (const EvalItem& item : group.items) {
      input += line_of(item.record);
      const ItemResult& done = result.items.at(next++);
      answers += line_of({{"id", done.id}, {"output", done.answer}});
    }
    write(folder / (file_stem("input", group) + ".jsonl"), input);
    write(folder / (file_stem(method.name, group) + ".answers.jsonl"), answers);
  }
}

}  // namespace kvmesh::cli
