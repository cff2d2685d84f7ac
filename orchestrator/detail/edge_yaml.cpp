#include "orchestrator/detail/edge_yaml.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

using wire::LayerChoice;
using wire::Medium;

constexpr std::int64_t kMostLayers = 100'000;  // more than any model has; bounds what "0-N" can ask for
constexpr std::int64_t kMostTokens = std::numeric_limits<int>::max();

struct Option {
  std::string key;
  std::vector<Medium> media;
};

const std::vector<Option>& options() {
  static const std::vector<Option> all{
      {"layers", {Medium::kKv}},
      {"share", {Medium::kKv}},
      {"forward", {Medium::kKv}},
      {"recalibrate", {Medium::kKv}},
      {"reproduce", {Medium::kKv}},
      {"wire", {Medium::kKv}},
      {"transport", {Medium::kKv}},
      {"max_tokens", {Medium::kKv, Medium::kText, Medium::kEmbedding}},
      {"temperature", {Medium::kEmbedding}},
      {"from_layer", {Medium::kActivation}},
      {"to_layer", {Medium::kActivation}},
      {"combine", {Medium::kActivation}},
  };
  return all;
}

bool belongs(const Option& option, Medium medium) {
  return std::find(option.media.begin(), option.media.end(), medium) != option.media.end();
}

/// An option of another medium gets a message of its own; then all that no edge knows is refused.
void refuse_foreign_options(const YamlFields& fields, Medium medium) {
  std::vector<std::string> known{"from", "to", "medium"};
  for (const Option& option : options()) {
    if (belongs(option, medium)) known.push_back(option.key);
  }
  for (const Option& option : options()) {
    const auto value = fields.find(option.key);
    if (!value || belongs(option, medium)) continue;
    std::vector<std::string> media;
    for (const Medium one : option.media) media.push_back(wire::to_string(one));
    value->fail(cat("\"", option.key, "\" is an option of ", joined(media), " edges, and this edge's medium is ",
                    wire::to_string(medium)),
                cat("remove it; a ", wire::to_string(medium), " edge takes ", joined(known)));
  }
  fields.refuse_others(known);
}

int layer_number(const YamlValue& entry, std::string_view text) {
  int number = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number < 0 || number >= kMostLayers) {
    entry.fail(cat(entry.what(), " is \"", entry.text(), "\""), "write a layer's number, as 4, or a range, as 4-9");
  }
  return number;
}

/// [0, 4-9]: sorted, and a layer named twice is a slip.
std::vector<int> read_layer_list(const YamlValue& value) {
  std::set<int> layers;
  for (const YamlValue& entry : value.list()) {
    const std::string text = entry.text();
    const std::size_t dash = text.find('-');
    const int first = layer_number(entry, std::string_view(text).substr(0, dash));
    const int last = dash == std::string::npos ? first : layer_number(entry, std::string_view(text).substr(dash + 1));
    if (last < first) entry.fail(cat(entry.what(), " is \"", text, "\""), "write a range from its lower end");
    for (int layer = first; layer <= last; ++layer) {
      if (!layers.insert(layer).second) entry.fail(cat("layer ", layer, " stands in the list twice"), "keep one");
    }
  }
  return {layers.begin(), layers.end()};
}

void read_prior(const YamlFields& fields, LayerChoice& choice) {
  if (const auto alpha = fields.find("alpha")) choice.alpha = alpha->number(0, 1);
  if (const auto mu = fields.find("mu")) choice.mu = mu->number(0, 1);
  if (const auto sigma = fields.find("sigma")) {
    choice.sigma = sigma->number(0, HUGE_VAL);
    if (choice.sigma == 0) sigma->fail(cat(sigma->what(), " is 0"), "write a width in layers above 0");
  }
}

LayerChoice read_layer_rule(const YamlFields& fields) {
  LayerChoice choice;
  const std::vector<std::string> rules{"ratio", "top", "random", "contiguous"};
  std::vector<std::string> named;
  for (const std::string& rule : rules) {
    if (fields.find(rule)) named.push_back(rule);
  }
  if (named.empty()) {
    // A mistyped rule is an unknown key first.
    fields.refuse_others({"ratio", "top", "random", "contiguous", "seed", "alpha", "mu", "sigma"});
    fields.map().fail(cat(fields.map().what(), " names no rule"), cat("add one of ", joined(rules, " or ")));
  }
  if (named.size() > 1) {
    fields.map().fail(cat(fields.map().what(), " names ", joined(named)), "keep one of them");
  }
  const YamlValue value = *fields.find(named.front());
  if (named.front() == "top") {
    fields.refuse_others({"top", "alpha", "mu", "sigma"});
    choice.kind = LayerChoice::Kind::kTop;
    choice.top = static_cast<int>(value.integer(0, kMostLayers));
  } else {
    choice.ratio = value.number(0, 1);
    if (named.front() == "ratio") {
      fields.refuse_others({"ratio", "alpha", "mu", "sigma"});
      choice.kind = LayerChoice::Kind::kRatio;
    } else if (named.front() == "random") {
      fields.refuse_others({"random", "seed"});
      choice.kind = LayerChoice::Kind::kRandom;
      if (const auto seed = fields.find("seed")) choice.seed = seed->seed();
    } else {
      fields.refuse_others({"contiguous", "mu"});
      choice.kind = LayerChoice::Kind::kContiguous;
    }
  }
  read_prior(fields, choice);
  return choice;
}

LayerChoice read_layers(const YamlValue& value) {
  if (value.is_map()) return read_layer_rule(YamlFields(value));
  LayerChoice choice;
  if (value.is_list()) {
    choice.kind = LayerChoice::Kind::kExplicit;
    choice.layers = read_layer_list(value);
  } else if (value.is_scalar() && value.text() == "all") {
    choice.kind = LayerChoice::Kind::kAll;
  } else {
    value.fail(cat(value.what(), " is ", value.is_scalar() ? cat("\"", value.text(), "\"") : std::string("empty")),
               "write all, a list as [0, 4-9], or a rule as {ratio: 0.3}, {top: 2}, {random: 0.3, seed: 1}, "
               "{contiguous: 0.3}");
  }
  return choice;
}

void read_reproduce(const YamlValue& value, wire::EdgeSpec& spec) {
  const YamlFields fields(value);
  fields.refuse_others({"mask", "positions"});
  if (const auto mask = fields.find("mask")) {
    mask->one_of({"authors"});
    spec.mask = wire::Mask::kAuthors;
  }
  if (const auto positions = fields.find("positions")) {
    spec.positions =
        positions->one_of({"compact", "overlap"}) == "compact" ? wire::Positions::kCompact : wire::Positions::kOverlap;
  }
  if (fields.all().empty()) value.fail(cat(value.what(), " is empty"), "add mask: authors or positions:, or remove it");
}

void read_kv(const YamlFields& fields, wire::EdgeSpec& spec) {
  if (const auto layers = fields.find("layers")) spec.layers = read_layers(*layers);
  if (const auto share = fields.find("share")) {
    spec.share =
        share->one_of({"prompt", "prompt+output"}) == "prompt" ? wire::Share::kPrompt : wire::Share::kPromptAndOutput;
  }
  const auto max_tokens = fields.find("max_tokens");
  if (max_tokens && spec.share == wire::Share::kPrompt) {
    max_tokens->fail("\"max_tokens\" on a kv edge bounds the output that it shares, and this one shares none",
                     "remove it or add share: prompt+output");
  }
  if (const auto forward = fields.find("forward")) spec.forward = forward->boolean();
  if (const auto recalibrate = fields.find("recalibrate")) {
    const YamlFields inner(*recalibrate);
    inner.refuse_others({"every"});
    spec.recalibrate_every =
        static_cast<int>(inner.get("every", "write {every: n}").integer(1, std::numeric_limits<int>::max()));
    if (!spec.layers.calibrated()) {
      recalibrate->fail("\"recalibrate\" measures for a ranking, and this edge's layers need none",
                        "remove it, or choose layers by {ratio: r} or {top: n}");
    }
  }
  if (const auto reproduce = fields.find("reproduce")) read_reproduce(*reproduce, spec);
  if (const auto dtype = fields.find("wire")) {
    spec.wire = *wire::find_wire_dtype(dtype->one_of({"same", "bf16", "fp16", "int8", "int4"}));
  }
  if (const auto transport = fields.find("transport")) {
    const std::string how = transport->one_of({"auto", "shm", "zmq"});
    spec.transport = how == "auto"  ? wire::Transport::kAuto
                     : how == "shm" ? wire::Transport::kShm
                                    : wire::Transport::kZmq;
  }
}

void read_activation(const YamlFields& fields, wire::EdgeSpec& spec) {
  const std::string fix = "an activation edge needs from_layer and to_layer, numbers of layers from 0";
  spec.from_layer = static_cast<int>(fields.get("from_layer", fix).integer(0, kMostLayers));
  spec.to_layer = static_cast<int>(fields.get("to_layer", fix).integer(0, kMostLayers));
  if (const auto combine = fields.find("combine")) {
    const std::string how = combine->one_of({"replace", "sum", "mean"});
    spec.combine = how == "replace" ? wire::Combine::kReplace
                   : how == "sum"   ? wire::Combine::kSum
                                    : wire::Combine::kMean;
  }
}

Medium read_medium(const YamlFields& fields) {
  const YamlValue value = fields.get("medium", "add medium: kv, text, embedding or activation");
  return *wire::find_medium(value.one_of({"kv", "text", "embedding", "activation"}));
}

}  // namespace

wire::EdgeSpec read_edge(const YamlValue& value) {
  const YamlFields fields(value);
  wire::EdgeSpec spec;
  spec.from = fields.get("from", "add from: NAME, the agent that it starts at").name();
  spec.to = fields.get("to", "add to: NAME, the agent that it ends at").name();
  spec.medium = read_medium(fields);
  refuse_foreign_options(fields, spec.medium);
  switch (spec.medium) {
    case Medium::kKv: read_kv(fields, spec); break;
    case Medium::kActivation: read_activation(fields, spec); break;
    case Medium::kText: break;
    case Medium::kEmbedding:
      if (const auto temperature = fields.find("temperature")) {
        spec.temperature = temperature->number(0, HUGE_VAL);
        if (spec.temperature == 0) temperature->fail(cat(temperature->what(), " is 0"), "write a number above 0");
      }
      break;
  }
  if (const auto max_tokens = fields.find("max_tokens")) {
    spec.max_tokens = static_cast<int>(max_tokens->integer(1, kMostTokens));
  }
  return spec;
}

}  // namespace kvmesh::orchestrator::detail
