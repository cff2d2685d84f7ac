#include "llm/text/tokenizer/score_merge.hpp"

#include <algorithm>
#include <queue>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);  ///< no neighbour

/// A stretch of the piece in a doubly linked list; of length 0 once its left neighbour has taken it in.
struct Symbol {
  std::size_t begin = 0;
  std::size_t length = 0;
  std::size_t previous = kNone;
  std::size_t next = kNone;
};

/// Two neighbours that are a token together, as they were when they were found.
struct Pair {
  float score = 0;
  std::size_t left = 0;
  std::size_t right = 0;
  std::size_t length = 0;  ///< of both: another length means that one of them has changed since

  bool operator<(const Pair& other) const { return score != other.score ? score < other.score : left > other.left; }
};

std::vector<Symbol> characters_of(std::string_view piece) {
  std::vector<Symbol> symbols;
  for (std::size_t at = 0; at < piece.size(); at += symbols.back().length) {
    const std::size_t index = symbols.size();
    symbols.push_back({at, utf8::length(piece[at]), index == 0 ? kNone : index - 1, index + 1});
  }
  if (!symbols.empty()) symbols.back().next = kNone;
  return symbols;
}

}  // namespace

ScoreMerge::ScoreMerge(std::span<const std::string_view> tokens, std::vector<float> scores, std::optional<Id> unknown,
                       const std::string& place)
    : scores_(std::move(scores)), unknown_(unknown) {
  add_tokens(tokens, place);
  byte_tokens_ = byte_tokens_of(*this);
  for (const std::string_view token : tokens) longest_ = std::max(longest_, token.size());
}

void ScoreMerge::encode(std::string_view piece, Cache& /*cache*/, std::vector<std::int64_t>& ids) const {
  std::vector<Symbol> symbols = characters_of(piece);
  std::priority_queue<Pair> queue;
  const auto offer = [&](std::size_t left, std::size_t right) {
    if (left == kNone || right == kNone) return;
    const std::size_t length = symbols[left].length + symbols[right].length;
    if (length > longest_) return;
    if (const auto id = find(piece.substr(symbols[left].begin, length)))
      queue.push({scores_[*id], left, right, length});
  };
  for (std::size_t right = 1; right < symbols.size(); ++right) offer(right - 1, right);
  while (!queue.empty()) {
    const Pair best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    if (left.length == 0 || right.length == 0 || left.length + right.length != best.length) continue;
    left.length = best.length;
    left.next = right.next;
    right.length = 0;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    offer(left.previous, best.left);
    offer(best.left, left.next);
  }
  for (std::size_t index = symbols.empty() ? kNone : 0; index != kNone; index = symbols[index].next)
    append(piece.substr(symbols[index].begin, symbols[index].length), ids);
}

void ScoreMerge::append(std::string_view symbol, std::vector<std::int64_t>& ids) const {
  if (const auto id = find(symbol)) {
    ids.push_back(*id);
    return;
  }
  for (const char byte : symbol) {
    std::optional<Id> id = byte_tokens_[static_cast<unsigned char>(byte)];
    if (!id) id = unknown_;
    if (!id) fail_input("the tokenizer has no token for \"", symbol, "\", nor any for bytes or for what is unknown");
    ids.push_back(*id);
  }
}

}  // namespace kvmesh::llm
