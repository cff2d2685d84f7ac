#include "cli/evaluation/method.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"

namespace kvmesh::cli {
namespace {

constexpr const char* kBaseline = "Instruction: {instruction} Question: {question}";
constexpr const char* kSkyline = "Instruction: {instruction} Context: {context} Question: {question}";

/// A JSON string is a YAML string.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

double ratio_of(const std::string& method, const std::string& text) {
  double ratio = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
  if (error != std::errc() || end != text.data() + text.size() || !(ratio >= 0 && ratio <= 1))
    fail_input("method \"", method, "\": \"", text, "\" is not a ratio from 0 to 1");
  return ratio;
}

/// "random:0.3:7" as {"random", "0.3", "7"}.
std::vector<std::string> split(const std::string& method) {
  std::vector<std::string> parts;
  std::istringstream in(method);
  for (std::string part; std::getline(in, part, ':');) parts.push_back(part);
  return parts;
}

std::string layers_of(const std::string& method) {
  const std::vector<std::string> parts = split(method);
  if (parts.size() == 2 && parts[0] == "kv" && parts[1] == "all") return "all";
  if (parts.size() == 2 && parts[0] == "kv") return cat("{ratio: ", ratio_of(method, parts[1]), "}");
  if (parts.size() == 2 && parts[0] == "contiguous") return cat("{contiguous: ", ratio_of(method, parts[1]), "}");
  if ((parts.size() == 2 || parts.size() == 3) && parts[0] == "random")
    return cat("{random: ", ratio_of(method, parts[1]), ", seed: ", parts.size() == 3 ? parts[2] : "0", "}");
  fail_input("method \"", method, "\" is not known; there are baseline, skyline, kv:RATIO, kv:all, random:RATIO[:SEED] ",
             "and contiguous:RATIO");
}

/// Writes a topology file from the top: models, then agents, then edges.
class TopologyWriter {
 public:
  TopologyWriter(const std::string& method, const Comparison& comparison) : comparison_(comparison) {
    std::string name = method;
    for (char& c : name)
      if (c == ':') c = '-';
    out_ << "# kvmesh eval: method " << method << "\nkvmesh: 1\nname: " << name << "\nmodels:\n";
    for (std::size_t i = 0; i < comparison.senders.size(); ++i) model(cat("sender", i + 1), comparison.senders[i]);
    model("receiver", comparison.receiver);
    out_ << "agents:\n";
  }

  void reader(std::size_t context) {
    const std::size_t sender = comparison_.senders.size() == 1 ? 1 : context;
    const std::string field = comparison_.contexts == 1 ? "context" : cat("context_", context);
    agent(cat("reader", context), cat("sender", sender), cat("Instruction: {instruction} Context: {", field, "}"),
          /*generates=*/false);
  }
  void agent(const std::string& name, const std::string& model, const std::string& prompt, bool generates) {
    out_ << "  " << name << ": {model: " << model << ", prompt: " << quoted(prompt);
    if (generates) out_ << ", generate: {max_tokens: " << comparison_.max_tokens << "}";
    out_ << "}\n";
  }
  void edges() { out_ << "edges:\n"; }
  void edge(const std::string& from, const std::string& to, const std::string& rest) {
    out_ << "  - {from: " << from << ", to: " << to << ", " << rest << "}\n";
  }
  std::string finish(bool calibrated) {
    if (calibrated && !comparison_.calibration.empty())
      out_ << "calibration: " << quoted(std::filesystem::absolute(comparison_.calibration).string()) << "\n";
    out_ << "output: solver\n";
    return out_.str();
  }

 private:
  void model(const std::string& name, const std::filesystem::path& path) {
    out_ << "  " << name << ": {path: " << quoted(std::filesystem::absolute(path).string())
         << ", dtype: " << comparison_.dtype << "}\n";
  }

  const Comparison& comparison_;
  std::ostringstream out_;
};

}  // namespace

std::string topology_of(const std::string& method, const Comparison& comparison) {
  TopologyWriter topology(method, comparison);
  if (method == "baseline" || method == "skyline") {
    topology.agent("solver", "receiver", method == "baseline" ? kBaseline : kSkyline, /*generates=*/true);
    return topology.finish(/*calibrated=*/false);
  }
  const std::string layers = layers_of(method);
  for (std::size_t i = 1; i <= comparison.contexts; ++i) topology.reader(i);
  topology.agent("solver", "receiver", kBaseline, /*generates=*/true);
  topology.edges();
  for (std::size_t i = 1; i <= comparison.contexts; ++i)
    topology.edge(cat("reader", i), "solver", cat("medium: kv, layers: ", layers));
  return topology.finish(/*calibrated=*/layers.find("ratio") != std::string::npos);
}

}  // namespace kvmesh::cli
