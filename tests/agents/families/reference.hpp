#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/tiny_checkpoint.hpp"

namespace kvmesh::test {

/// What the queries of a layer see: of one sequence of n tokens, [n, n] of bool; m more columns in front where rows of
/// others stand before it.
struct Sight {
  at::Tensor seen;
  at::Tensor alike;  ///< columns that a query averages alike where it sees nothing; undefined where that cannot be
};

/// Keys, turned by their positions, and values of one layer, [n, kv_heads, head_dim].
struct Rows {
  at::Tensor keys, values;
};

/// Every family's decoder written out from its definition, in double precision, for one sequence, with dense masks.
/// Reads config.json's fields itself; shares no code with the engine.
class Reference {
 public:
  explicit Reference(const TinyCheckpoint& checkpoint) : checkpoint_(checkpoint), text_(checkpoint.text()) {}

  /// Of the whole sequence, [n, vocab_size]. `see` may change what a layer's queries see.
  at::Tensor logits(const std::vector<std::int64_t>& ids,
                    const std::function<void(int layer, Sight& sight)>& see = nullptr) const;
  /// The rows of every layer for `ids`, alone, their first at `first_position`.
  std::vector<Rows> rows(const std::vector<std::int64_t>& ids, std::int64_t first_position) const;
  /// Of `ids`, which stand at `first_position` behind `before`, the rows of others at each layer, and see all of them.
  at::Tensor logits_behind(const std::vector<Rows>& before, const std::vector<std::int64_t>& ids,
                           std::int64_t first_position) const;
  /// Positions that a layer's tokens see back, itself included; 0: all.
  std::int64_t window(int layer) const;

 private:
  /// Tokens at consecutive positions, and what they are computed with.
  struct Run {
    std::vector<std::int64_t> ids;
    std::int64_t first_position = 0;
    const std::vector<Rows>* before = nullptr;
    std::vector<Rows>* own = nullptr;  ///< filled with each layer's rows of these tokens
    std::function<void(int layer, Sight& sight)> see;
  };
  at::Tensor logits_of(const Run& run) const;
  at::Tensor weight(const std::string& name) const;
  at::Tensor linear(const at::Tensor& x, const std::string& name) const;
  at::Tensor norm(const at::Tensor& x, const std::string& name) const;
  at::Tensor attention(const at::Tensor& x, const std::string& at, int layer, const Sight& sight, const Run& run) const;
  at::Tensor mlp(const at::Tensor& x, const std::string& at) const;
  /// Radians a position of each dimension pair, for a sequence of n tokens.
  std::vector<double> frequencies(int layer, std::int64_t n) const;
  at::Tensor rotated(const at::Tensor& x, int layer, std::int64_t first_position) const;
  bool local(int layer) const;
  bool is(const char* family) const { return checkpoint_.architecture().starts_with(family); }
  double number(const std::string& name, double otherwise) const;

  const TinyCheckpoint& checkpoint_;
  const nlohmann::json& text_;
};

}  // namespace kvmesh::test
