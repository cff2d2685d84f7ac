#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kvcodec/wire/edge_spec.hpp"

/// The options of an edge, once: the topology file, JSON on the wire, the check of topologies built in code, the
/// picture that `kvmesh check` prints and the table in docs/topology.md all follow this table.
namespace kvmesh::wire {

struct WholeRange {
  std::int64_t least = 0, most = 0;
  bool holds(std::int64_t value) const { return value >= least && value <= most; }
};
/// Without an upper end where `most` is infinite.
struct NumberRange {
  double least = 0, most = 0;
  bool above_least = false;  ///< `least` itself is out
  bool holds(double value) const { return value <= most && (above_least ? value > least : value >= least); }
};
/// "a whole number from 1 to 5"; "a number from 0 to 1", "a number above 0".
std::string to_string(const WholeRange& range);
std::string to_string(const NumberRange& range);

struct EdgeOption {
  struct Flag {
    bool EdgeSpec::*value;
  };
  struct Whole {
    int EdgeSpec::*value;
    WholeRange range;
  };
  struct Number {
    double EdgeSpec::*value;
    NumberRange range;
  };
  /// One of `names`, by its place among them.
  struct Choice {
    std::vector<std::string> names;
    std::function<std::size_t(const EdgeSpec&)> get;
    std::function<void(EdgeSpec&, std::size_t)> set;
  };
  struct Layers {};  ///< LayerChoice, which has a grammar of its own

  std::string key;    ///< in a topology file; "recalibrate.every" stands inside of recalibrate: {every: n}
  std::string field;  ///< in JSON
  std::vector<Medium> media;
  std::variant<Flag, Whole, Number, Choice, Layers> value;
  std::string words;          ///< in a picture, around the value: "up to {} tokens"
  bool required = false;      ///< in a topology file
  bool always_shown = false;  ///< in a picture, also where it has its standard value

  bool belongs_to(Medium medium) const;
};

const std::vector<EdgeOption>& edge_options();

/// The value of `option` in `edge`, as a topology file has it: "true", "0.7", "int8". None for layers.
std::optional<std::string> text_of(const EdgeOption& option, const EdgeSpec& edge);

// What a LayerChoice may hold.
inline constexpr WholeRange kLayerRange{0, 99'999};  ///< more layers than any model has; bounds what "0-N" can ask for
inline constexpr WholeRange kLayerBytesRange{1, std::numeric_limits<int>::max()};
extern const NumberRange kLayerRatioRange, kLayerAlphaRange, kLayerMuRange, kLayerSigmaRange;

/// Something about one option that is wrong, whatever the other agents and edges are.
struct EdgeProblem {
  std::string key;    ///< of the option
  std::string wrong;  ///< "\"max_tokens\" is 0"
  std::string fix;    ///< "write a whole number from 1 to 5"
};
/// Every number is in its range, every option is one of this edge's medium, and options that need each other go
/// together. Empty: all is well.
std::vector<EdgeProblem> edge_problems(const EdgeSpec& edge);

}  // namespace kvmesh::wire
