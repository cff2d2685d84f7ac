#include "agents/turns/prompt_input.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "base/error.hpp"

namespace kvmesh::agents {
namespace {

/// Stands in the text where vectors go, until the template has been applied. Private-use characters: no tokenizer and
/// no template treats them specially, and a prompt that holds one already is refused.
constexpr std::string_view kVectorsHere = "\xEE\x80\x80\xEE\x80\x81";

struct FilledPrompt {
  std::string text;
  std::vector<at::Tensor> vectors;  ///< one for each kVectorsHere in the text, in order
};

FilledPrompt fill(const std::vector<bus::PromptPiece>& pieces, const Said& said) {
  FilledPrompt prompt;
  for (const bus::PromptPiece& piece : pieces) {
    const bool vectors = said.vectors.count(piece.from) != 0;
    if (!piece.from.empty() && !vectors && said.text.count(piece.from) == 0)
      fail_input("the prompt asks for {from.", piece.from, "}, but nothing came from there");
    const std::string& text = piece.from.empty() || vectors ? piece.text : said.text.at(piece.from);
    if (text.find(kVectorsHere) != std::string::npos)
      fail_input("the prompt holds U+E000 U+E001, which kvmesh uses to mark the place of vectors; remove it");
    prompt.text += text;
    if (!vectors) continue;
    prompt.text += kVectorsHere;
    prompt.vectors.push_back(said.vectors.at(piece.from));
  }
  return prompt;
}

}  // namespace

PromptInput read_prompt(const llm::Host& host, const bus::Task& task, const Said& said) {
  c10::InferenceMode guard;
  const FilledPrompt prompt = fill(task.prompt, said);
  const std::string text = task.chat ? host.user_turn(prompt.text, task.system) : prompt.text;
  PromptInput input;
  std::vector<at::Tensor> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= prompt.vectors.size(); ++i) {
    const std::size_t end = i < prompt.vectors.size() ? text.find(kVectorsHere, begin) : text.size();
    if (end == std::string::npos) fail_input("the chat template lost the place of the vectors in its user turn");
    const auto ids = host.tokenizer().encode(std::string_view(text).substr(begin, end - begin),
                                             /*add_special=*/!task.chat && i == 0);
    input.ids.insert(input.ids.end(), ids.begin(), ids.end());
    if (!ids.empty()) parts.push_back(host.model().embed(ids));
    if (i < prompt.vectors.size()) parts.push_back(prompt.vectors[i].to(host.model().options()));
    begin = end + kVectorsHere.size();
  }
  if (parts.empty()) fail_input("the prompt is empty: it has no tokens");
  input.embeddings = at::cat(parts);
  return input;
}

}  // namespace kvmesh::agents
