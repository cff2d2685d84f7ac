#include "cli/preflight.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "llm/model/check.hpp"
#include "llm/model/config.hpp"
#include "llm/text/chat_template.hpp"
#include "llm/text/tokenizer.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/topology_check.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

using orchestrator::AgentSpec;
using orchestrator::Topology;

/// The libtorch that agents are built with may know no GPU at all.
void refuse_missing_cuda(const std::string& device) {
  if (!KVMESH_TORCH_HAS_CUDA && device != "cpu")
    fail_input("device \"", device, "\": kvmesh was built with a libtorch that has no CUDA; write cpu");
}

/// Looks at each model once, whatever number of agents run it.
class ModelCheck {
 public:
  ModelCheck(const Topology& topology, Look look) : topology_(topology), look_(look) {}

  std::vector<std::string> problems() {
    std::set<std::string> used;
    for (const AgentSpec& agent : topology_.agents) used.insert(agent.model);
    for (const auto& [name, model] : topology_.models)
      if (!model.path.empty() && used.contains(name)) check(name, model);
    std::map<std::string, wire::Manifest> manifests;
    for (const AgentSpec& agent : topology_.agents) {
      const auto manifest = manifests_.find(agent.model);
      if (manifest != manifests_.end()) manifests.emplace(agent.name, manifest->second);
      if (readable_.contains(agent.model)) check_template(agent);
    }
    complaints_.add_all(orchestrator::check_ends(topology_, manifests));
    if (topology_.profile) check_profile();
    return complaints_.texts();
  }

 private:
  /// `look` at one part of a model; what is wrong is said with the model's name and line.
  template <typename Look>
  bool part(const std::string& name, int line, const Look& look) {
    Complaints own;
    own.attempt(look);
    for (const std::string& text : own.texts())
      complaints_.add(orchestrator::where(topology_, line), ": ", name, ": ", text);
    return own.texts().empty();
  }

  void check(const std::string& name, const orchestrator::ModelSpec& model) {
    const std::string called = cat("model ", name);
    part(called, model.line, [&] { refuse_missing_cuda(model.device); });
    const bool described = part(called, model.line, [&] { manifests_.emplace(name, llm::read_manifest(model.path)); });
    if (look_ == Look::kFit) {
      readable_.insert(name);
      return;
    }
    // Weights can be looked at only by what config.json says of them.
    if (described)
      part(called, model.line, [&] {
        llm::check_checkpoint(model.path, {.dtype = model.dtype,
                                           .device = model.device,
                                           .every_number = look_ == Look::kEveryNumber,
                                           .stop = {}});
      });
    if (part(called, model.line, [&] { llm::Tokenizer::load(model.path); })) readable_.insert(name);
  }

  void check_template(const AgentSpec& agent) {
    if (!agent.chat) return;
    const auto& folder = orchestrator::model_of(topology_, agent).path;
    if (!llm::ChatTemplate::exists(folder)) {
      complaints_.add(orchestrator::where(topology_, agent.line), ": agent ", agent.name,
                      " gets its prompt in a chat template, and ", folder.string(),
                      " has none; write chat: false to give it the text itself");
      return;
    }
    part(cat("agent ", agent.name), agent.line,
         [&] { llm::ChatTemplate::load(folder).render_user_turn("Is this template understood?", agent.system); });
  }

  void check_profile() {
    complaints_.attempt(
        [&] { orchestrator::check_profile(topology_, orchestrator::read_profile(*topology_.profile)); });
  }

  const Topology& topology_;
  const Look look_;
  Complaints complaints_;
  std::map<std::string, wire::Manifest> manifests_;  ///< of models whose config.json could be read
  std::set<std::string> readable_;                   ///< models whose tokenizer could be read
};

}  // namespace

std::vector<std::string> model_problems(const Topology& topology, Look look) {
  return ModelCheck(topology, look).problems();
}

void check_models(const Topology& topology) { orchestrator::throw_problems(model_problems(topology)); }

Topology load_checked(const std::filesystem::path& file, Look look) {
  orchestrator::TopologyReading reading = orchestrator::read_topology(file);
  Complaints all;
  all.add_all(reading.problems);
  all.add_all(model_problems(reading.topology, look));
  orchestrator::throw_problems(all.texts());
  return std::move(reading.topology);
}

}  // namespace kvmesh::cli
