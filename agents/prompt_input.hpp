#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "agents/llm/host.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// What senders said, by the name of the agent: text, or vectors [steps, hidden_size] that stand in place of token
/// embeddings.
struct Said {
  std::map<std::string, std::string> text;
  std::map<std::string, at::Tensor> vectors;
};

/// The prompt as the model reads it, [tokens, hidden_size]: pieces filled with what was said, in the chat template if
/// `chat`, tokenised, embedded. Throws Error{kFixInput} where a piece names an agent that said nothing.
at::Tensor embed_prompt(const llm::Host& host, const std::vector<bus::PromptPiece>& pieces, bool chat,
                        const Said& said);

}  // namespace kvmesh::agents
