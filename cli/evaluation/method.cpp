#include "cli/evaluation/method.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/error.hpp"
#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::cli {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
  fail_input("method \"", name, "\" ", reason);
}

template <typename Number>
Number number_of(const std::string& name, const std::string& text, const std::string& wanted) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) refuse(name, cat("has \"", text, "\" for ", wanted));
  return number;
}

/// What a method may have behind its kind.
struct Grammar {
  const char* kind;
  std::size_t least;
  std::size_t most;
  std::vector<std::string> options;
};

const Grammar* find_grammar(const std::string& kind) {
  static const std::vector<Grammar> all{{"baseline", 0, 0, {}},
                                        {"skyline", 0, 0, {}},
                                        {"kv", 1, 1, {"by", "unit", "alpha", "mu", "sigma", "wire"}},
                                        {"top", 1, 1, {"by", "unit", "alpha", "mu", "sigma", "wire"}},
                                        {"random", 1, 2, {"wire"}},
                                        {"contiguous", 1, 1, {"mu", "wire"}},
                                        {"nld", 0, 1, {"tokens"}},
                                        {"cipher", 0, 0, {"tokens", "temperature"}},
                                        {"ac", 1, 3, {}}};
  const auto found = std::find_if(all.begin(), all.end(), [&](const Grammar& one) { return one.kind == kind; });
  return found == all.end() ? nullptr : &*found;
}

void check_ratio(const Method& method) {
  const double ratio = number_of<double>(method.name, method.arguments.front(), "a ratio from 0 to 1");
  if (!(ratio >= 0 && ratio <= 1)) refuse(method.name, cat("has the ratio ", ratio, "; write one from 0 to 1"));
}

void check_arguments(const Method& method) {
  const std::vector<std::string>& arguments = method.arguments;
  if ((method.kind == "kv" && arguments[0] != "all") || method.kind == "random" || method.kind == "contiguous")
    check_ratio(method);
  if (method.kind == "top") number_of<unsigned>(method.name, arguments[0], "a number of layers");
  if (method.kind == "random" && arguments.size() == 2)
    number_of<std::uint64_t>(method.name, arguments[1], "a seed, a whole number");
  if (method.kind == "nld" && !arguments.empty() && arguments[0] != "aware")
    refuse(method.name, "is not known; there are nld and nld:aware");
  if (method.kind == "ac") {
    if (arguments[0] != "replace" && arguments[0] != "sum" && arguments[0] != "mean")
      refuse(method.name, "is not known; there are ac:replace, ac:sum and ac:mean");
    if (arguments.size() == 2) refuse(method.name, "names one layer; name both, as ac:replace:K:J, or none");
    for (std::size_t i = 1; i < arguments.size(); ++i)
      number_of<unsigned>(method.name, arguments[i], "a layer, a whole number");
  }
  const auto by = method.options.find("by");
  const bool attention = by != method.options.end() && by->second == "attention";
  for (const auto& [key, value] : method.options) {
    if (method.ranked() && !attention && (key == "alpha" || key == "mu" || key == "sigma"))
      refuse(method.name, cat("has \"", key, "\", which belongs to by=attention, and its layers are chosen by loss"));
    if (key == "tokens") {
      if (number_of<int>(method.name, value, "tokens, a whole number") < 1)
        refuse(method.name, "needs 1 token at least");
    } else if (key == "by") {
      if (!wire::find_by(value)) refuse(method.name, cat("has \"", value, "\" for by; there are loss and attention"));
    } else if (key == "unit") {
      if (value != "layer" && value != "head")
        refuse(method.name, cat("has \"", value, "\" for unit; there are layer and head"));
    } else if (key == "wire") {
      if (!wire::find_wire_dtype(value))
        refuse(method.name, cat("has \"", value, "\" for wire; there are same, bf16, fp16, int8, int4 and auto"));
    } else if (!(number_of<double>(method.name, value, key + ", a number") >= 0)) {
      refuse(method.name, cat("has ", key, " ", value, "; it cannot be below 0"));
    }
  }
}

}  // namespace

Method parse_method(const std::string& name) {
  Method method{.name = name, .kind = {}, .arguments = {}, .options = {}};
  for (const std::string& part : split(name, ':')) {
    const std::size_t equals = part.find('=');
    if (method.kind.empty()) method.kind = part;
    else if (equals == std::string::npos) method.arguments.push_back(part);
    else method.options[part.substr(0, equals)] = part.substr(equals + 1);
  }
  const Grammar* grammar = find_grammar(method.kind);
  if (grammar == nullptr || method.arguments.size() < grammar->least || method.arguments.size() > grammar->most)
    refuse(
        name,
        "is not known; there are baseline, skyline, kv:RATIO, kv:all, top:N, random:RATIO[:SEED], "
        "contiguous:RATIO, nld, nld:aware, cipher, ac:replace, ac:sum and ac:mean, the last three also as ac:HOW:K:J");
  for (const auto& [key, value] : method.options)
    if (std::find(grammar->options.begin(), grammar->options.end(), key) == grammar->options.end())
      refuse(name, cat("has no option \"", key, "\""));
  check_arguments(method);
  return method;
}

std::vector<Method> parse_methods(const std::string& names) {
  std::vector<Method> methods;
  for (const std::string& name : split(names, ',')) {
    if (std::any_of(methods.begin(), methods.end(), [&](const Method& method) { return method.name == name; }))
      refuse(name, "stands twice; name it once");
    methods.push_back(parse_method(name));
  }
  if (methods.empty()) fail_input("no method is named; name one as baseline");
  return methods;
}

}  // namespace kvmesh::cli
