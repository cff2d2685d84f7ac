#pragma once

#include <cstdint>
#include <vector>

#include "llm/text/chat_template.hpp"
#include "llm/text/tokenizer.hpp"

namespace kvmesh::llm {

/// The tokens at which a checkpoint's generation ends, without repeats: `from_config`, the `eos_token_id` that its
/// configuration names; the `eos_token` of its tokenizer_config.json; and the special token that its chat template
/// writes behind an assistant's message. Checkpoints that were tuned for chat often name only one of them.
/// `chat_template` null: the checkpoint has none.
std::vector<std::int64_t> gather_stop_tokens(std::vector<std::int64_t> from_config, const Tokenizer& tokenizer,
                                             const ChatTemplate* chat_template);

}  // namespace kvmesh::llm
