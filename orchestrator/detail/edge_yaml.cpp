#include "orchestrator/detail/edge_yaml.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <variant>

#include "base/error.hpp"
#include "kvcodec/wire/edge_options.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

using wire::EdgeOption;
using wire::LayerChoice;
using wire::Medium;

/// "recalibrate.every" of the table of options is the key "every" inside of "recalibrate".
std::string outer(const EdgeOption& option) { return option.key.substr(0, option.key.find('.')); }
std::string inner(const EdgeOption& option) { return option.key.substr(option.key.find('.') + 1); }
bool nested(const EdgeOption& option) { return option.key.find('.') != std::string::npos; }

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// An option of another medium gets a message of its own; then all that no edge knows is refused.
void refuse_foreign_options(const YamlFields& fields, Medium medium) {
  std::vector<std::string> known{"from", "to", "medium"};
  for (const EdgeOption& option : wire::edge_options()) {
    if (option.belongs_to(medium)) add_once(known, outer(option));
  }
  for (const EdgeOption& option : wire::edge_options()) {
    const auto value = fields.find(outer(option));
    if (!value || option.belongs_to(medium)) continue;
    std::vector<std::string> media;
    for (const Medium one : option.media) media.push_back(wire::to_string(one));
    value->fail(cat("\"", outer(option), "\" is an option of ", joined(media), " edges, and this edge's medium is ",
                    wire::to_string(medium)),
                cat("remove it; a ", wire::to_string(medium), " edge takes ", joined(known)));
  }
  fields.refuse_others(known);
}

int layer_number(const YamlValue& entry, std::string_view text) {
  int number = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || !wire::kLayerRange.holds(number)) {
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

void read_by(const YamlFields& fields, LayerChoice& choice) {
  if (const auto by = fields.find("by")) choice.by = *wire::find_by(by->one_of({"loss", "attention"}));
  if (const auto unit = fields.find("unit"); unit && unit->one_of({"layer", "head"}) == "head") {
    choice.unit = wire::Unit::kHead;
    if (choice.by != wire::By::kLoss)
      unit->fail("\"unit: head\" belongs to by: loss, and these layers are chosen by attention",
                 "remove one of the two");
  }
  if (choice.by != wire::By::kLoss) return;
  // Written out, a standard value is a slip as well.
  for (const char* name : {"alpha", "mu", "sigma"})
    if (const auto prior = fields.find(name))
      prior->fail(cat("\"", name, "\" belongs to by: attention, and these layers are chosen by loss"),
                  "remove it or add by: attention");
}

int number_in(const YamlValue& value, const std::string& text) {
  int number = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || !wire::kLayerRange.holds(number))
    value.fail(cat("\"", text, "\" is no number of a layer"), "write heads as {8: [0, 2], 17: all}");
  return number;
}

/// {8: [0, 2], 17: all}
std::vector<wire::HeadsOfLayer> read_heads(const YamlValue& value) {
  std::vector<wire::HeadsOfLayer> all;
  const YamlFields layers(value);
  for (const auto& [layer, heads] : layers.all()) {
    wire::HeadsOfLayer& one = all.emplace_back();
    one.layer = number_in(heads, layer);
    if (heads.is_list()) one.heads = read_layer_list(heads);
    if (one.heads.empty() && (heads.is_list() || heads.text() != "all"))
      heads.fail(cat(heads.what(), " names no KV head"), "write all, or a list of heads as [0, 2]");
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.layer < b.layer; });
  return all;
}

void read_prior(const YamlFields& fields, LayerChoice& choice) {
  if (const auto alpha = fields.find("alpha")) choice.alpha = alpha->number(wire::kLayerAlphaRange);
  if (const auto mu = fields.find("mu")) choice.mu = mu->number(wire::kLayerMuRange);
  if (const auto sigma = fields.find("sigma")) choice.sigma = sigma->number(wire::kLayerSigmaRange);
}

LayerChoice read_layer_rule(const YamlFields& fields) {
  LayerChoice choice;
  const std::vector<std::string> rules{"ratio", "top", "bytes_per_token", "random", "contiguous", "heads"};
  std::vector<std::string> named;
  for (const std::string& rule : rules) {
    if (fields.find(rule)) named.push_back(rule);
  }
  if (named.empty()) {
    // A mistyped rule is an unknown key first.
    fields.refuse_others({"ratio", "top", "bytes_per_token", "random", "contiguous", "heads", "by", "unit", "seed",
                          "alpha", "mu", "sigma"});
    fields.map().fail(cat(fields.map().what(), " names no rule"), cat("add one of ", joined(rules, " or ")));
  }
  if (named.size() > 1) {
    fields.map().fail(cat(fields.map().what(), " names ", joined(named)), "keep one of them");
  }
  const YamlValue value = *fields.find(named.front());
  if (named.front() == "top") {
    choice.kind = LayerChoice::Kind::kTop;
    choice.top = static_cast<int>(value.integer(wire::kLayerRange));
  } else if (named.front() == "bytes_per_token") {
    choice.kind = LayerChoice::Kind::kBytesPerToken;
    choice.bytes_per_token = static_cast<int>(value.integer(wire::kLayerBytesRange));
  } else if (named.front() == "heads") {
    fields.refuse_others({"heads"});
    choice.kind = LayerChoice::Kind::kHeads;
    choice.heads = read_heads(value);
  } else {
    choice.ratio = value.number(wire::kLayerRatioRange);
    if (named.front() == "ratio") {
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
  if (choice.ranked()) {
    fields.refuse_others({named.front(), "by", "unit", "alpha", "mu", "sigma"});
    read_by(fields, choice);
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
               "{contiguous: 0.3}, {heads: {8: [0, 2], 17: all}}");
  }
  return choice;
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

void read_option(const EdgeOption& option, const YamlValue& value, wire::EdgeSpec& spec) {
  std::visit(Overloaded{[&](const EdgeOption::Flag& flag) { spec.*flag.value = value.boolean(); },
                        [&](const EdgeOption::Whole& whole) {
                          spec.*whole.value = static_cast<int>(value.integer(whole.range));
                        },
                        [&](const EdgeOption::Number& number) { spec.*number.value = value.number(number.range); },
                        [&](const EdgeOption::Choice& choice) {
                          const std::string name = value.one_of(choice.names);
                          const auto place = std::find(choice.names.begin(), choice.names.end(), name);
                          choice.set(spec, static_cast<std::size_t>(place - choice.names.begin()));
                        },
                        [&](const EdgeOption::Layers&) { spec.layers = read_layers(value); }},
             option.value);
}

/// The value of an option where the edge has it; checks that nothing else stands beside a nested one.
std::optional<YamlValue> find_option(const YamlFields& fields, const EdgeOption& option) {
  const auto value = fields.find(outer(option));
  if (!value || !nested(option)) return value;
  std::vector<std::string> known;
  for (const EdgeOption& other : wire::edge_options())
    if (nested(other) && outer(other) == outer(option)) known.push_back(inner(other));
  const YamlFields group(*value);
  group.refuse_others(known);
  if (group.all().empty())
    value->fail(cat(value->what(), " is empty"), cat("add ", joined(known, " or "), ", or remove it"));
  return group.find(inner(option));
}

void read_options(const YamlFields& fields, wire::EdgeSpec& spec) {
  std::map<std::string, YamlValue> read;
  for (const EdgeOption& option : wire::edge_options()) {
    if (!option.belongs_to(spec.medium)) continue;
    const auto value = find_option(fields, option);
    if (option.required && !value)
      fields.get(option.key, cat("add ", option.key, ": an ", wire::to_string(spec.medium), " edge needs it"));
    if (!value) continue;
    read_option(option, *value, spec);
    read.emplace(option.key, *value);
  }
  // Written out, the standard bound is a slip as well.
  if (spec.medium == Medium::kKv && spec.share == wire::Share::kPrompt && read.contains("max_tokens"))
    read.at("max_tokens")
        .fail("\"max_tokens\" on a kv edge bounds the output that it shares, and this one shares none",
              "remove it or add share: prompt+output");
  for (const wire::EdgeProblem& problem : wire::edge_problems(spec)) {
    const auto value = read.find(problem.key);
    (value == read.end() ? fields.map() : value->second).fail(problem.wrong, problem.fix);
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
  read_options(fields, spec);
  return spec;
}

}  // namespace kvmesh::orchestrator::detail
