#pragma once

#include <functional>
#include <memory>
#include <string>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// A token on its way to text, or a part of one: `tokenizers` has decoders that melt all tokens into one, and text has
/// to leave before the last of them is known.
struct Fragment {
  std::string text;
  bool begins = true;  ///< starts a token
  bool ends = true;    ///< completes it
};

/// Turns the tokens of one sequence into text as they come. For one thread and one sequence.
class DecodeStep {
 public:
  using Sink = std::function<void(Fragment)>;

  virtual ~DecodeStep() = default;
  virtual void push(Fragment fragment, const Sink& sink) = 0;
  /// The sequence is over: what was held back goes out.
  virtual void finish(const Sink& sink) = 0;
};

/// The decoder of a tokenizer.json, from which every sequence gets its own DecodeStep. Immutable.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual std::unique_ptr<DecodeStep> start() const = 0;
};

/// Throws Error{kFixInput} for a type that is not known.
std::unique_ptr<const Decoder> make_decoder(const Description& description);

/// What stands in for a missing decoder: tokens with a space between.
std::unique_ptr<const Decoder> make_default_decoder();

}  // namespace kvmesh::llm
