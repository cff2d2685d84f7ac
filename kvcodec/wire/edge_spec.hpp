#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvcodec/wire/combine.hpp"

namespace kvmesh::wire {

/// What an edge carries: keys and values, generated text, expected embeddings (CIPHER), a hidden state (AC).
enum class Medium { kKv, kText, kEmbedding, kActivation };

/// "kv", "text", "embedding", "activation".
std::string to_string(Medium medium);
std::optional<Medium> find_medium(const std::string& name);

/// What is shared or not: a layer, or a single KV head of one.
enum class Unit { kLayer, kHead };

/// KV heads of one receiver layer.
struct HeadsOfLayer {
  int layer = 0;
  std::vector<int> heads;  ///< ascending; empty: all that the model has
  bool operator==(const HeadsOfLayer&) const = default;
};

/// By what layers are chosen that somebody has to measure (docs/method.md).
enum class By {
  kLoss,       ///< what the receiver's right answer costs behind exactly what would be shared
  kAttention,  ///< the paper's: how much attention the receiver pays to the sender's tokens
};

/// Which receiver layers a kv edge shares. Besides them layer 0 travels, unless they are chosen by loss.
struct LayerChoice {
  enum class Kind {
    kRatio,          ///< the best floor(ratio * L), as measured
    kTop,            ///< the best `top`
    kBytesPerToken,  ///< as many of the best as take at most `bytes_per_token`
    kExplicit,       ///< `layers`
    kAll,
    kRandom,      ///< floor(ratio * L) drawn anew for each record from mt19937_64(seed, record index)
    kContiguous,  ///< floor(ratio * L) in a row around mu
    kHeads,       ///< `heads`: single KV heads, and not layer 0 besides
  };
  Kind kind = Kind::kRatio;
  double ratio = 0.3;                          ///< kRatio, kRandom, kContiguous; in [0, 1]
  int top = 0;                                 ///< kTop
  int bytes_per_token = 0;                     ///< kBytesPerToken: of keys and values, as they travel
  std::vector<int> layers;                     ///< kExplicit: sorted, no duplicates; empty shares none besides layer 0
  std::vector<HeadsOfLayer> heads;             ///< kHeads: by layer, ascending
  std::uint64_t seed = 0;                      ///< kRandom
  By by = By::kLoss;                           ///< kRatio, kTop, kBytesPerToken
  Unit unit = Unit::kLayer;                    ///< the same, by loss: what they count
  double alpha = 1.0, mu = 0.5, sigma = 10.0;  ///< the prior: the same, by attention; mu also kContiguous
  bool operator==(const LayerChoice&) const = default;

  /// The best of what somebody measures: kRatio, kTop and kBytesPerToken.
  bool ranked() const { return kind == Kind::kRatio || kind == Kind::kTop || kind == Kind::kBytesPerToken; }
  bool by_loss() const { return ranked() && by == By::kLoss; }
  /// Single heads, written out or to be chosen.
  bool by_heads() const { return kind == Kind::kHeads || (by_loss() && unit == Unit::kHead); }
  /// True where somebody has to measure: ranked(), unless nothing is left to choose because no layer is shared, or all.
  bool calibrated() const {
    return ranked() && !(kind == Kind::kRatio && (ratio <= 0 || ratio >= 1)) && !(kind == Kind::kTop && top == 0);
  }
};

/// "loss", "attention".
std::string to_string(By by);
std::optional<By> find_by(const std::string& name);

/// What a kv edge shares of its sender's turn.
enum class Share { kPrompt, kPromptAndOutput };
/// Which mask and positions a kv edge has. The authors' and the two others exist to compare with the released code.
enum class Mask { kCausal, kAuthors };
enum class Positions { kContinue, kCompact, kOverlap };
/// What the numbers of a kv edge travel as: as they are computed, or in fewer bits; kAuto: in the fewest that cost the
/// right answer next to nothing, which is measured with the layers (docs/method.md).
enum class WireDtype { kSame, kBFloat16, kFloat16, kInt8, kInt4, kAuto };
/// How a kv edge's payload travels: shared memory where both ends are on one host, or ZeroMQ.
enum class Transport { kAuto, kShm, kZmq };

/// "same", "bf16", "fp16", "int8", "int4", "auto".
std::string to_string(WireDtype dtype);
std::optional<WireDtype> find_wire_dtype(const std::string& name);

/// One edge of a topology as its two ends need it. A value. What its options are called and may hold stands in
/// kvcodec/wire/edge_options.hpp; a new one is a member here and a row there.
struct EdgeSpec {
  std::string from;
  std::string to;
  Medium medium = Medium::kKv;

  // kv
  LayerChoice layers;
  Share share = Share::kPrompt;
  bool forward = false;       ///< also pass on what the sender itself was given over kv
  int recalibrate_every = 0;  ///< measure anew on every n-th record; 0: never
  Mask mask = Mask::kCausal;
  Positions positions = Positions::kContinue;
  WireDtype wire = WireDtype::kSame;
  Transport transport = Transport::kAuto;

  int max_tokens = 128;      ///< text, embedding; kv with Share::kPromptAndOutput
  double temperature = 0.7;  ///< embedding

  // activation
  int from_layer = 0;  ///< the state entering this layer of the sender
  int to_layer = 0;    ///< goes in before this layer of the receiver
  Combine combine = Combine::kReplace;

  bool operator==(const EdgeSpec&) const = default;
};

/// "reader -> solver (kv)": how messages name an edge.
std::string describe(const EdgeSpec& edge);

std::string to_json(const EdgeSpec& edge);
/// Throws Error{kReconnect} that names the missing or mistyped field.
EdgeSpec edge_spec_from_json(const std::string& text);

}  // namespace kvmesh::wire
