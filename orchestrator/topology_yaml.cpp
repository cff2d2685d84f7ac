#include "orchestrator/topology_yaml.hpp"

#include <limits>
#include <utility>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "base/text_file.hpp"
#include "orchestrator/detail/edge_yaml.hpp"
#include "orchestrator/detail/yaml_fields.hpp"
#include "orchestrator/liveness.hpp"
#include "orchestrator/model_path.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator {
namespace {

using detail::YamlFields;
using detail::YamlValue;

std::filesystem::path resolve(const std::filesystem::path& path, const std::filesystem::path& file) {
  return (std::filesystem::absolute(file).parent_path() / path).lexically_normal();
}

std::filesystem::path read_file_path(const YamlValue& value, const std::filesystem::path& file) {
  const auto path = resolve(value.text(), file);
  if (const std::string why = why_not_file(path); !why.empty())
    value.fail(cat(value.what(), " is ", path.string(), ", which ", why), "name a file, relative to the topology file");
  return path;
}

std::filesystem::path read_model_path(const YamlValue& value, const std::filesystem::path& file) {
  try {
    return resolve_model(value.text(), std::filesystem::absolute(file).parent_path());
  } catch (const Error& error) {
    fail_input(value.place(), ": ", error.what());
  }
}

std::chrono::milliseconds read_liveness(const YamlValue& value) {
  try {
    return parse_liveness(value.text());
  } catch (const Error& error) {
    fail_input(value.place(), ": ", error.what());
  }
}

ModelSpec read_model(const YamlValue& value, const std::filesystem::path& file) {
  const YamlFields fields(value);
  fields.refuse_others({"path", "dtype", "device"});
  ModelSpec model;
  model.line = value.line();
  model.path = read_model_path(fields.get("path", "add path: FOLDER, a checkpoint folder or a .gguf file"), file);
  if (const auto dtype = fields.find("dtype")) model.dtype = dtype->one_of(kDtypes);
  if (const auto device = fields.find("device")) {
    model.device = device->text();
    if (!is_device(model.device)) device->fail(cat(device->what(), " is \"", model.device, "\""), kDeviceRule);
  }
  return model;
}

GenerateSpec read_generate(const YamlValue& value) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr wire::NumberRange kShare{0, 1}, kNotNegative{0, kInfinity};
  const YamlFields fields(value);
  fields.refuse_others({"max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "stop"});
  GenerateSpec generate;
  SamplingOptions& sampling = generate.sampling;
  if (const auto max_tokens = fields.find("max_tokens"))
    generate.max_tokens = static_cast<int>(max_tokens->integer(kMaxTokensRange));
  if (const auto temperature = fields.find("temperature")) sampling.temperature = temperature->number(kNotNegative);
  if (const auto top_k = fields.find("top_k")) sampling.top_k = top_k->integer({0, kMaxTokensRange.most});
  if (const auto top_p = fields.find("top_p")) sampling.top_p = top_p->number(kShare);
  if (const auto min_p = fields.find("min_p")) sampling.min_p = min_p->number(kShare);
  if (const auto penalty = fields.find("repetition_penalty"))
    sampling.repetition_penalty = penalty->number(kNotNegative);
  if (const auto seed = fields.find("seed")) sampling.seed = seed->seed();
  if (const std::string problem = problem_of(sampling); !problem.empty()) value.fail(problem, "change it");
  if (const auto stop = fields.find("stop"))
    for (const YamlValue& text : stop->list()) generate.stop.push_back(text.text());
  return generate;
}

AgentSpec read_agent(const std::string& name, const YamlValue& value) {
  const YamlFields fields(value.called(cat("agent ", name)));
  fields.refuse_others({"model", "prompt", "system", "chat", "generate", "keep_mib"});
  AgentSpec agent;
  agent.name = name;
  agent.line = value.line();
  agent.model = fields.get("model", "add model: NAME, a key of models").name();
  const YamlValue prompt = fields.get("prompt", "add prompt: \"...\"");
  agent.prompt = prompt.text();
  if (const auto chat = fields.find("chat")) agent.chat = chat->boolean();
  const auto system = fields.find("system");
  if (system) agent.system = system->text();
  throw_problems(template_problems(agent, prompt.place(), system ? system->place() : prompt.place()));
  if (const auto generate = fields.find("generate")) agent.generate = read_generate(*generate);
  if (const auto keep_mib = fields.find("keep_mib")) agent.keep_mib = keep_mib->integer(kKeepMibRange);
  return agent;
}

/// Reads a file part by part: an error ends the part that it stands in, and the others are read all the same.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) { topology_.file = file; }

  TopologyReading read(const YAML::Node& root) {
    std::optional<YamlFields> top;
    if (!complaints_.attempt([&] { top.emplace(open(root)); })) return finish();
    part([&] {
      top->refuse_others(
          {"kvmesh", "name", "models", "agents", "edges", "output", "calibration", "profile", "keep_mib", "liveness"});
    });
    part([&] { topology_.name = top->get("name", "add name: NAME").called("the topology's name").name(); });
    const bool models = part([&] { read_models(*top); });
    const bool agents = part([&] { read_agents(*top); });
    if (!part([&] { read_edges(*top); })) unread_.edges = true;
    part([&] { read_output(*top); });
    part([&] {
      if (const auto path = top->find("calibration"))
        topology_.calibration = read_file_path(path->called("calibration"), topology_.file);
    });
    part([&] {
      if (const auto liveness = top->find("liveness")) topology_.liveness = read_liveness(liveness->called("liveness"));
    });
    part([&] {
      if (const auto keep_mib = top->find("keep_mib")) topology_.keep_mib = keep_mib->integer(kKeepMibRange);
    });
    part([&] {
      // It need not be there yet: kvmesh calibrate makes it.
      if (const auto path = top->find("profile"))
        topology_.profile = resolve(path->called("profile").text(), topology_.file);
    });
    // Without the names of all models and agents every edge would seem to lead nowhere.
    if (models && agents) complaints_.add_all(graph_problems(topology_, unread_));
    return finish();
  }

 private:
  template <typename Read>
  bool part(const Read& read) {
    return complaints_.attempt(read);
  }

  TopologyReading finish() { return {std::move(topology_), complaints_.texts()}; }

  /// The grammar's version comes first: of another one nothing else can be said.
  YamlFields open(const YAML::Node& root) const {
    YamlFields top(YamlValue(topology_.file.string(), "the topology", /*line=*/1, root));
    const YamlValue version = top.get("kvmesh", "add kvmesh: 1, the version of the grammar");
    if (!version.is_scalar() || version.text() != "1")
      version.fail(cat("the file is written in version ", version.is_scalar() ? version.text() : "?",
                       " of the grammar, and kvmesh " KVMESH_VERSION " reads version 1"),
                   "install a newer kvmesh, or write kvmesh: 1 if no key needs more");
    return top;
  }

  static void refuse_unfit_name(const std::string& kind, const std::string& name, const YamlValue& value) {
    if (!is_name(name)) value.fail(cat(kind, " \"", name, "\" has an unfit name"), kNameRule);
  }

  void read_models(const YamlFields& top) {
    const YamlFields models(top.get("models", "add models: with the path of a model for each name").called("models"));
    for (const auto& [name, value] : models.all()) {
      ModelSpec& model = topology_.models[name];
      part([&, key = name, at = value] {
        refuse_unfit_name("model", key, at);
        model = read_model(at.called(cat("model ", key)), topology_.file);
      });
    }
    if (topology_.models.empty()) models.map().fail("models is empty", "add one as NAME: {path: FOLDER or FILE.gguf}");
  }

  void read_agents(const YamlFields& top) {
    const YamlFields agents(top.get("agents", "add agents: with a model and a prompt for each name").called("agents"));
    for (const auto& [name, value] : agents.all()) {
      AgentSpec agent{.name = name, .model = {}, .prompt = {}, .system = {}, .generate = {}, .line = value.line()};
      const bool whole = part([&, key = name, at = value] {
        refuse_unfit_name("agent", key, at);
        agent = read_agent(key, at);
      });
      if (!whole) unread_.agents.insert(name);
      topology_.agents.push_back(std::move(agent));
    }
    if (topology_.agents.empty()) agents.map().fail("agents is empty", "add one as NAME: {model: ..., prompt: ...}");
  }

  void read_edges(const YamlFields& top) {
    const auto edges = top.find("edges");
    if (!edges) return;
    for (const YamlValue& edge : edges->called("edges").list()) {
      const bool whole =
          part([&] { topology_.edges.push_back({.spec = detail::read_edge(edge), .line = edge.line()}); });
      if (!whole) unread_.edges = true;
    }
  }

  void read_output(const YamlFields& top) {
    const YamlValue output = top.get("output", "add output: NAME, the agent whose answer is the result");
    topology_.output = output.called("output").name();
    topology_.output_line = output.line();
  }

  Topology topology_;
  Complaints complaints_;
  UnreadParts unread_;
};

YAML::Node parse_yaml(const std::string& text, const std::filesystem::path& file) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    for (std::size_t i = 1; i < documents.size(); ++i)
      if (!documents[i].IsNull())
        fail_input(file.string(), ':', documents[i].Mark().line + 1,
                   ": a second YAML document begins here, and a topology is one; remove it, or the line ---");
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& error) {
    fail_input(file.string(), ':', error.mark.line + 1, ": not YAML (column ", error.mark.column + 1, "): ", error.msg,
               "; mind indentation, quotes and closing brackets");
  }
}

TopologyReading read_parts(const std::string& text, const std::filesystem::path& file) {
  return Reader(file).read(parse_yaml(text, file));
}

Topology sound(TopologyReading reading) {
  throw_problems(reading.problems);
  return std::move(reading.topology);
}

}  // namespace

TopologyReading read_topology(const std::filesystem::path& file) {
  return read_parts(read_text(file, "the topology", "name a YAML file (docs/topology.md)"), file);
}

Topology load_topology(const std::filesystem::path& file) { return sound(read_topology(file)); }

Topology parse_topology(const std::string& text, const std::filesystem::path& file) {
  return sound(read_parts(text, file));
}

}  // namespace kvmesh::orchestrator
