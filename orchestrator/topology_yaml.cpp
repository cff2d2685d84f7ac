#include "orchestrator/topology_yaml.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.hpp"
#include "orchestrator/detail/edge_yaml.hpp"
#include "orchestrator/detail/yaml_fields.hpp"
#include "orchestrator/liveness.hpp"
#include "orchestrator/prompt.hpp"
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
  if (!std::filesystem::is_regular_file(path)) {
    value.fail(cat(value.what(), " is ", path.string(), ", which is not there"),
               "name a file, relative to the topology file");
  }
  return path;
}

std::chrono::milliseconds read_liveness(const YamlValue& value) {
  try {
    return parse_liveness(value.text());
  } catch (const Error& error) {
    fail_input(value.place(), ": ", error.what());
  }
}

std::string read_device(const YamlValue& value) {
  const std::string device = value.text();
  const bool cuda = device.size() > 5 && device.size() < 9 && device.starts_with("cuda:") &&
                    std::all_of(device.begin() + 5, device.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (device != "cpu" && !cuda) value.fail(cat(value.what(), " is \"", device, "\""), "write cpu or cuda:0");
  return device;
}

ModelSpec read_model(const YamlValue& value, const std::filesystem::path& file) {
  const YamlFields fields(value);
  fields.refuse_others({"path", "dtype", "device"});
  ModelSpec model;
  model.line = value.line();
  const YamlValue path = fields.get("path", "add path: FOLDER, a checkpoint folder");
  model.path = resolve(path.text(), file);
  if (!std::filesystem::is_directory(model.path)) {
    path.fail(cat("the folder of ", value.what(), " is ", model.path.string(), ", which is not there"),
              "name a checkpoint folder, relative to the topology file");
  }
  if (const auto dtype = fields.find("dtype")) model.dtype = dtype->one_of({"auto", "fp32", "bf16", "fp16"});
  if (const auto device = fields.find("device")) model.device = read_device(*device);
  return model;
}

GenerateSpec read_generate(const YamlValue& value) {
  const YamlFields fields(value);
  fields.refuse_others({"max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "stop"});
  GenerateSpec generate;
  if (const auto max_tokens = fields.find("max_tokens")) {
    generate.max_tokens = static_cast<int>(max_tokens->integer(1, std::numeric_limits<int>::max()));
  }
  SamplingOptions& sampling = generate.sampling;
  if (const auto value_of = fields.find("temperature")) sampling.temperature = value_of->number(0, HUGE_VAL);
  if (const auto value_of = fields.find("top_k"))
    sampling.top_k = value_of->integer(0, std::numeric_limits<int>::max());
  if (const auto value_of = fields.find("top_p")) sampling.top_p = value_of->number(0, 1);
  if (const auto value_of = fields.find("min_p")) sampling.min_p = value_of->number(0, 1);
  if (const auto value_of = fields.find("repetition_penalty"))
    sampling.repetition_penalty = value_of->number(0, HUGE_VAL);
  if (const auto value_of = fields.find("seed")) sampling.seed = value_of->seed();
  if (const std::string problem = problem_of(sampling); !problem.empty()) value.fail(problem, "change it");
  if (const auto stop = fields.find("stop")) {
    for (const YamlValue& text : stop->list()) generate.stop.push_back(text.text());
  }
  return generate;
}

std::string read_system(const YamlValue& value, bool chat) {
  std::string system = value.text();
  for (const PromptPart& part : parse_prompt(system, value.place())) {
    if (part.kind == PromptPart::Kind::kFrom)
      value.fail(cat("a system message cannot hold {from.", part.text, "}"), "put it into the prompt");
  }
  if (!chat) value.fail("a system message needs the chat template, and \"chat\" is false", "leave one of them out");
  return system;
}

constexpr std::int64_t kMostKeepMib = std::int64_t{1} << 24;  // 16 TiB

AgentSpec read_agent(const std::string& name, const YamlValue& value) {
  const YamlFields fields(value.called(cat("agent ", name)));
  fields.refuse_others({"model", "prompt", "system", "chat", "generate", "keep_mib"});
  AgentSpec agent;
  agent.name = name;
  agent.line = value.line();
  agent.model = fields.get("model", "add model: NAME, a key of models").name();
  const YamlValue prompt = fields.get("prompt", "add prompt: \"...\"");
  agent.prompt = prompt.text();
  parse_prompt(agent.prompt, prompt.place());
  if (const auto chat = fields.find("chat")) agent.chat = chat->boolean();
  if (const auto system = fields.find("system")) agent.system = read_system(*system, agent.chat);
  if (const auto generate = fields.find("generate")) agent.generate = read_generate(*generate);
  if (const auto keep_mib = fields.find("keep_mib")) agent.keep_mib = keep_mib->integer(0, kMostKeepMib);
  return agent;
}

void refuse_unfit_name(const std::string& kind, const std::string& name, const YamlValue& value) {
  if (!is_name(name)) value.fail(cat(kind, " \"", name, "\" has an unfit name"), kNameRule);
}

void read_models(const YamlFields& top, Topology& topology) {
  const YamlFields models(top.get("models", "add models: with a checkpoint folder for each name").called("models"));
  for (const auto& [name, value] : models.all()) {
    refuse_unfit_name("model", name, value);
    topology.models.emplace(name, read_model(value.called(cat("model ", name)), topology.file));
  }
  if (topology.models.empty()) models.map().fail("models is empty", "add one as NAME: {path: FOLDER}");
}

void read_agents(const YamlFields& top, Topology& topology) {
  const YamlFields agents(top.get("agents", "add agents: with a model and a prompt for each name").called("agents"));
  for (const auto& [name, value] : agents.all()) {
    refuse_unfit_name("agent", name, value);
    topology.agents.push_back(read_agent(name, value));
  }
  if (topology.agents.empty()) agents.map().fail("agents is empty", "add one as NAME: {model: ..., prompt: ...}");
}

Topology read_topology(const YamlFields& top, const std::filesystem::path& file) {
  const YamlValue version = top.get("kvmesh", "add kvmesh: 1, the version of the grammar");
  if (!version.is_scalar() || version.text() != "1") {
    const bool newer = version.is_scalar() && !version.text().empty() &&
                       version.text().find_first_not_of("0123456789") == std::string::npos &&
                       !version.text().starts_with('0');
    if (newer)
      version.fail(cat("the file is written in version ", version.text(),
                       " of the grammar, and this kvmesh reads version 1"),
                   cat("install a kvmesh that reads version ", version.text()));
    version.fail("the version of the grammar is a whole number, and this program reads version 1", "write kvmesh: 1");
  }
  top.refuse_others({"kvmesh", "name", "models", "agents", "edges", "output", "calibration", "profile", "keep_mib",
                     "liveness"});
  Topology topology;
  topology.file = file;
  topology.name = top.get("name", "add name: NAME").called("the topology's name").name();
  read_models(top, topology);
  read_agents(top, topology);
  if (const auto edges = top.find("edges")) {
    for (const YamlValue& edge : edges->called("edges").list()) {
      topology.edges.push_back({.spec = detail::read_edge(edge), .line = edge.line()});
    }
  }
  const YamlValue output = top.get("output", "add output: NAME, the agent whose answer is the result");
  topology.output = output.called("output").name();
  topology.output_line = output.line();
  if (const auto path = top.find("calibration"))
    topology.calibration = read_file_path(path->called("calibration"), file);
  if (const auto liveness = top.find("liveness")) topology.liveness = read_liveness(liveness->called("liveness"));
  // It need not be there yet: kvmesh calibrate makes it.
  if (const auto keep_mib = top.find("keep_mib")) topology.keep_mib = keep_mib->integer(0, kMostKeepMib);
  if (const auto path = top.find("profile")) topology.profile = resolve(path->called("profile").text(), file);
  return topology;
}

}  // namespace

Topology parse_topology(const std::string& text, const std::filesystem::path& file) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail_input(file.string(), ':', error.mark.line + 1, ": not YAML (column ", error.mark.column + 1, "): ", error.msg,
               "; mind indentation, quotes and closing brackets");
  }
  const Topology topology = read_topology(YamlFields(YamlValue(file.string(), "the topology", /*line=*/1, root)), file);
  check_graph(topology);
  return topology;
}

Topology load_topology(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || std::filesystem::is_directory(file)) {
    fail_input("cannot read the topology ", file.string(), "; name a YAML file (docs/topology.md)");
  }
  return parse_topology(text.str(), file);
}

}  // namespace kvmesh::orchestrator
