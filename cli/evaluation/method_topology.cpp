// The topology file that a method is.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "cli/evaluation/method.hpp"
#include "llm/model/config.hpp"

namespace kvmesh::cli {
namespace {

/// A JSON string is a YAML string.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::string option_or(const Method& method, const std::string& key, const std::string& otherwise) {
  const auto found = method.options.find(key);
  return found == method.options.end() ? otherwise : found->second;
}

/// "layers:" of a kv edge.
std::string layers_of(const Method& method) {
  const std::string& first = method.arguments.front();
  if (method.kind == "kv" && first == "all") return "all";
  std::string text = cat("{", method.kind == "kv" ? "ratio" : method.kind, ": ", first);
  if (method.kind == "random") text += cat(", seed: ", method.arguments.size() == 2 ? method.arguments[1] : "0");
  for (const auto& [key, value] : method.options)
    if (key != "wire") text += cat(", ", key, ": ", value);
  return text + "}";
}

/// Writes a topology file from the top: models, then agents, then edges.
class TopologyWriter {
 public:
  TopologyWriter(const Method& method, const Comparison& comparison, std::size_t contexts)
      : method_(method), comparison_(comparison), contexts_(contexts) {}

  std::string write(const std::string& profile) {
    head();
    if (method_.kind == "baseline" || method_.kind == "skyline") {
      const Prompts& prompts = comparison_.prompts;
      solver(method_.kind == "baseline" ? prompts.receiver : prompts.skyline);
    } else if (method_.kind == "nld" || method_.kind == "cipher") {
      debate();
    } else {
      readers(comparison_.prompts.sender);
      solver(comparison_.prompts.receiver);
      out_ << "edges:\n";
      for (std::size_t i = 1; i <= contexts_; ++i) edge(reader(i), one_way());
    }
    if (!profile.empty() && method_.calibrated()) out_ << "profile: " << quoted(profile) << "\n";
    out_ << "output: solver\n";
    return out_.str();
  }

 private:
  void head() {
    std::string name = method_.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == ':' || c == '='; }, '-');
    out_ << "# kvmesh eval: method " << method_.name << "\nkvmesh: 1\nname: " << name << "\nmodels:\n";
    for (std::size_t i = 0; i < comparison_.senders.size(); ++i) model(sender_model(i), comparison_.senders[i]);
    model("receiver", comparison_.receiver);
    out_ << "agents:\n";
  }

  std::string sender_model(std::size_t index) const {
    return comparison_.senders.size() == 1 ? "sender" : cat("sender", index + 1);
  }
  std::string reader(std::size_t context) const { return contexts_ == 1 ? "reader" : cat("reader", context); }

  void model(const std::string& name, const std::filesystem::path& path) {
    out_ << "  " << name << ": {path: " << quoted(std::filesystem::absolute(path).lexically_normal().string())
         << ", dtype: " << comparison_.dtype << ", device: " << quoted(comparison_.device) << "}\n";
  }

  void readers(const std::string& prompt) {
    for (std::size_t i = 1; i <= contexts_; ++i)
      agent(reader(i), sender_model(comparison_.senders.size() == 1 ? 0 : i - 1),
            contexts_ == 1 ? prompt : replaced(prompt, "{context}", cat("{context_", i, "}")));
  }
  void solver(const std::string& prompt) {
    agent("solver", "receiver", prompt, cat(", generate: {max_tokens: ", comparison_.max_tokens, "}"));
  }
  void agent(const std::string& name, const std::string& model, const std::string& prompt,
             const std::string& rest = "") {
    // Nothing is kept from one item for the next: bytes and times are each item's own, whatever it shares with others.
    out_ << "  " << name << ": {model: " << model << ", prompt: " << quoted(prompt) << rest << ", keep_mib: 0}\n";
  }
  void edge(const std::string& from, const std::string& rest) {
    out_ << "  - {from: " << from << ", to: solver, " << rest << "}\n";
  }

  /// The debate (NLD) of docs/method.md as a graph without a cycle: reader and drafter both feed the solver, who
  /// revises.
  void debate() {
    const bool aware = !method_.arguments.empty();
    readers(aware ? comparison_.prompts.aware : comparison_.prompts.sender);
    agent("drafter", "receiver", comparison_.prompts.receiver);
    std::string all;
    for (std::size_t i = 1; i <= contexts_; ++i) all += cat(i == 1 ? "" : " ", "{from.", reader(i), "}");
    solver(replaced(comparison_.prompts.revise, "{from.reader}", all));
    std::string rest = cat("medium: ", method_.kind == "nld" ? "text" : "embedding",
                           ", max_tokens: ", option_or(method_, "tokens", "128"));
    if (method_.kind == "cipher") rest += cat(", temperature: ", option_or(method_, "temperature", "0.7"));
    out_ << "edges:\n";
    for (std::size_t i = 1; i <= contexts_; ++i) edge(reader(i), rest);
    edge("drafter", rest);
  }

  std::string one_way() const {
    if (method_.kind != "ac")
      return cat("medium: kv, layers: ", layers_of(method_), ", wire: ", option_or(method_, "wire", "same"));
    const std::vector<std::string>& arguments = method_.arguments;
    const auto middle = [](const std::filesystem::path& model) {
      return std::to_string(llm::read_config(model).num_hidden_layers / 2);
    };
    const bool said = arguments.size() == 3;
    return cat("medium: activation, from_layer: ", said ? arguments[1] : middle(comparison_.senders.front()),
               ", to_layer: ", said ? arguments[2] : middle(comparison_.receiver), ", combine: ", arguments[0]);
  }

  const Method& method_;
  const Comparison& comparison_;
  const std::size_t contexts_;
  std::ostringstream out_;
};

}  // namespace

std::string topology_of(const Method& method, const Comparison& comparison, std::size_t contexts,
                        const std::string& profile) {
  return TopologyWriter(method, comparison, contexts).write(profile);
}

}  // namespace kvmesh::cli
