#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "llm/host.hpp"

namespace kvmesh::agents {

/// What senders said, by the name of the agent: text, or vectors [steps, hidden_size] that stand in place of token
/// embeddings.
struct Said {
  std::map<std::string, std::string> text;
  std::map<std::string, at::Tensor> vectors;
};

/// A prompt as the model reads it.
struct PromptInput {
  at::Tensor embeddings;          ///< [tokens, hidden_size]
  std::vector<std::int64_t> ids;  ///< of its text, in order; vectors have none
};

/// The task's prompt: pieces filled with what was said, in the chat template if it is a chat, tokenised, embedded.
/// Throws Error{kFixInput} where a piece names an agent that said nothing.
PromptInput read_prompt(const llm::Host& host, const bus::Task& task, const Said& said);

}  // namespace kvmesh::agents
