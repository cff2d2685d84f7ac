#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "agents/turns/turn.hpp"
#include "bus/control.hpp"
#include "llm/decode/decoder.hpp"

namespace kvmesh::agents {

/// What a turn came to.
using TurnAnswer = std::variant<bus::Result, bus::TaskError>;

/// The turns that one agent takes at the same time. Each reads its prompt alone; then all are decoded together, token
/// by token, joining and leaving between steps. Every turn says what it would say alone, in its own cache; what goes
/// wrong with one ends that one. A resource; one thread at a time.
class TurnBatch {
 public:
  /// `host` outlives the batch; `agent` is named in errors. `ended` hears what became of every turn, from begin() and
  /// step(); it throws nothing.
  TurnBatch(const llm::Host& host, std::string agent, std::function<void(TurnAnswer)> ended);

  /// Takes a turn up to its first token; from then on it is in the batch.
  void begin(Turn turn, Wiring wiring, TurnHooks hooks);
  /// One token for every turn that is here.
  void step();
  std::size_t size() const { return turns_.size(); }

 private:
  struct Active {
    std::unique_ptr<RunningTurn> turn;
    bool said_all = false;
    std::exception_ptr failure;  ///< why it is over
  };

  std::optional<std::int64_t> next_of(Active& active, const at::Tensor& logits);
  TurnAnswer answer_of(Active& active) const;
  bus::TaskError error_of(const std::string& request, const std::exception_ptr& failure) const;

  const llm::Host& host_;
  const std::string agent_;
  const std::function<void(TurnAnswer)> ended_;
  std::vector<std::unique_ptr<Active>> turns_;
  llm::BatchDecoder decoder_;
};

}  // namespace kvmesh::agents
