#include "llm/text/tokenizer/added_tokens.hpp"

#include <algorithm>

#include "llm/text/tokenizer/unicode.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

bool ends_with_word(std::string_view text) {
  return !text.empty() && unicode::is_word(utf8::decode(text.substr(utf8::last_start(text))));
}

bool starts_with_word(std::string_view text) { return !text.empty() && unicode::is_word(utf8::decode(text)); }

/// Where the white space at the end of `text` starts.
std::size_t trailing_space(std::string_view text) {
  while (!text.empty()) {
    const std::size_t last = utf8::last_start(text);
    if (!utf8::is_space(utf8::decode(text.substr(last)))) break;
    text = text.substr(0, last);
  }
  return text.size();
}

/// How long the white space at the start of `text` is.
std::size_t leading_space(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && utf8::is_space(utf8::decode(text.substr(at)))) at += utf8::length(text[at]);
  return at;
}

}  // namespace

void AddedTokenFinder::add(std::string_view spelling, const AddedToken& token) {
  if (spelling.empty()) return;
  std::size_t node = 0;
  for (const char byte : spelling) {
    const auto [entry, is_new] = nodes_[node].next.try_emplace(byte, nodes_.size());
    node = entry->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].token = tokens_.size();
  tokens_.push_back(token);
  starts_[static_cast<unsigned char>(spelling.front())] = true;
}

AddedTokenFinder::Match AddedTokenFinder::longest_at(std::string_view text) const {
  Match best;
  std::size_t node = 0;
  for (std::size_t length = 0; length < text.size();) {
    const auto found = nodes_[node].next.find(text[length]);
    if (found == nodes_[node].next.end()) break;
    node = found->second;
    ++length;
    if (nodes_[node].token != kNone) best = {nodes_[node].token, length};
  }
  return best;
}

void AddedTokenFinder::scan(std::string_view text, const std::function<void(std::string_view, bool)>& on_text,
                            const std::function<void(std::int64_t)>& on_token) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!starts_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const Match match = longest_at(text.substr(at));
    if (match.token == kNone) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match.token];
    std::size_t begin = at;
    std::size_t end = at + match.length;
    at = end;
    if (token.single_word && (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) continue;
    if (token.lstrip) begin = std::max(trailing_space(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space(text.substr(end));
    if (begin >= end) continue;  // the token before took it for white space of its own
    if (done < begin) on_text(text.substr(done, begin - done), done == 0);
    on_token(token.id);
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done), done == 0);
}

}  // namespace kvmesh::llm
