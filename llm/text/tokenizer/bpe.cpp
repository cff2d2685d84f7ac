#include "llm/text/tokenizer/bpe.hpp"

#include <algorithm>
#include <queue>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kLongestCached = 64;                       ///< bytes; longer pieces hardly come twice
constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);  ///< no neighbour

/// A pair that may be merged: the best rank first, then the leftmost.
struct Candidate {
  std::uint32_t rank = 0;
  std::uint32_t left = 0;
  std::uint32_t result = 0;

  bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
};

/// One token of a piece in a doubly linked list. A merged-away one has `next` == its own index.
struct Link {
  std::uint32_t id = 0;
  std::uint32_t previous = kNone;
  std::uint32_t next = kNone;
};

}  // namespace

Bpe::Bpe(const Description& model) {
  if (model.has("dropout") && model.value()["dropout"] != 0.0) {
    model.fail("\"dropout\" makes encodings random, which is not supported: set it to null");
  }
  prefix_ = model.text("continuing_subword_prefix", "");
  suffix_ = model.text("end_of_word_suffix", "");
  fuse_unknown_ = model.flag("fuse_unk", false);
  ignore_merges_ = model.flag("ignore_merges", false);
  read_vocabulary(model.at("vocab"));
  read_merges(model.at("merges"));
  if (model.has("unk_token")) {
    const std::string spelling = model.text("unk_token");
    unknown_ = find(spelling);
    if (!unknown_) model.at("unk_token").fail("\"", spelling, "\" is not in the vocabulary");
  }
  if (model.flag("byte_fallback", false)) byte_tokens_ = byte_tokens_of(*this);
}

Bpe::Bpe(const Lists& lists) : ignore_merges_(lists.ignore_merges) {
  add_tokens(lists.tokens, cat(lists.file, ": tokenizer.ggml.tokens"));
  merges_.reserve(lists.merges.size());
  for (const std::string_view merge : lists.merges) {
    const std::size_t space = merge.find(' ', 1);  // a token may begin with a space
    const std::string problem = space == std::string_view::npos
                                    ? cat("\"", merge, "\" is not two tokens with a space between")
                                    : add_merge(merge.substr(0, space), merge.substr(space + 1));
    if (!problem.empty()) fail_input(lists.file, ": tokenizer.ggml.merges: ", problem);
  }
}

void Bpe::read_vocabulary(const Description& vocabulary) {
  if (!vocabulary.value().is_object()) vocabulary.fail("expected an object of token: id");
  expect_tokens(vocabulary.value().size());
  for (const auto& [token, id] : vocabulary.value().items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kNoId) {
      vocabulary.fail("the id of \"", token, "\" is no whole number that fits");
    }
    add_token(token, id.get<Id>());
  }
}

void Bpe::read_merges(const Description& merges) {
  merges_.reserve(merges.size());
  const auto add = [&](std::string_view left, std::string_view right) {
    if (const std::string problem = add_merge(left, right); !problem.empty()) merges.fail(problem);
  };
  for (std::size_t index = 0; index < merges.size(); ++index) {
    const nlohmann::json& entry = merges.value()[index];
    if (entry.is_string()) {
      const auto& line = entry.get_ref<const std::string&>();
      if (line.starts_with("#version")) continue;
      const std::size_t space = line.find(' ');
      if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
        merges.at(index).fail("\"", line, "\" is not two tokens with a space between");
      }
      add(std::string_view(line).substr(0, space), std::string_view(line).substr(space + 1));
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
      add(entry[0].get_ref<const std::string&>(), entry[1].get_ref<const std::string&>());
    } else {
      merges.at(index).fail("expected a pair of tokens");
    }
  }
}

std::string Bpe::add_merge(std::string_view left, std::string_view right) {
  const std::string_view tail = right.starts_with(prefix_) ? right.substr(prefix_.size()) : right;
  const std::string result = cat(left, tail);
  const auto left_id = find(left);
  const auto right_id = find(right);
  const auto result_id = find(result);
  if (!left_id || !right_id || !result_id) {
    const std::string_view missing = !left_id ? left : !right_id ? right : std::string_view(result);
    return cat("the merge of \"", left, "\" and \"", right, "\" needs the token \"", missing,
               "\", which is not in the vocabulary");
  }
  merges_[pair(*left_id, *right_id)] = {merge_count_++, *result_id};
  note_neighbours(result);
  return "";
}

void Bpe::note_neighbours(std::string_view token) {
  std::optional<Id> previous;
  while (!token.empty()) {
    const std::size_t length = utf8::length(token.front());
    const auto character = find(token.substr(0, length));
    if (previous && character) neighbours_.insert(pair(*previous, *character));
    previous = character;
    token.remove_prefix(length);
  }
}

const Bpe::Merge* Bpe::find_merge(Id left, Id right) const {
  const auto found = merges_.find(pair(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

bool Bpe::append_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
  if (byte_tokens_.empty()) return false;
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  if (!std::all_of(character.begin(), character.end(), [&](char byte) { return token_of(byte).has_value(); })) {
    return false;
  }
  for (const char byte : character) symbols.push_back({*token_of(byte), false});
  return true;
}

std::vector<Bpe::Symbol> Bpe::symbols_of(std::string_view piece) const {
  const bool plain = prefix_.empty() && suffix_.empty();
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  bool unknown_pending = false;
  std::string spelling;
  for (std::size_t at = 0; at < piece.size();) {
    std::string_view character = piece.substr(at, utf8::length(piece[at]));
    const bool first = at == 0;
    at += character.size();
    if (!plain) {
      spelling = cat(first ? "" : prefix_, character, at == piece.size() ? suffix_ : "");
      character = spelling;
    }
    if (const auto id = find(character)) {
      if (unknown_pending) symbols.push_back({*unknown_, false});
      unknown_pending = false;
      symbols.push_back({*id, plain});
    } else if (!append_bytes(character, symbols) && unknown_) {
      if (unknown_pending && !fuse_unknown_) symbols.push_back({*unknown_, false});
      unknown_pending = true;
    }
  }
  if (unknown_pending) symbols.push_back({*unknown_, false});
  return symbols;
}

void Bpe::encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = find(piece)) {
      ids.push_back(*id);
      return;
    }
  }
  const bool cached = piece.size() <= kLongestCached;
  if (cached) {
    const auto found = cache.find(std::string(piece));
    if (found != cache.end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
      return;
    }
  }
  const std::size_t before = ids.size();
  const std::vector<Symbol> symbols = symbols_of(piece);
  // Two characters that stand side by side in no merge's result are never merged across, whatever stands around them:
  // the piece falls into words there, which keeps the queue short where a pre-tokenizer cuts nothing (Llama 2).
  for (std::size_t begin = 0; begin < symbols.size();) {
    std::size_t end = begin + 1;
    while (end < symbols.size() && !(symbols[end - 1].barrier_allowed && symbols[end].barrier_allowed &&
                                     !neighbours_.contains(pair(symbols[end - 1].id, symbols[end].id)))) {
      ++end;
    }
    merge(symbols.data() + begin, end - begin, ids);
    begin = end;
  }
  if (cached) {
    cache.emplace(piece, std::vector<std::int64_t>(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end()));
  }
}

void Bpe::merge(const Symbol* symbols, std::size_t count, std::vector<std::int64_t>& ids) const {
  std::vector<Link> links(count);
  std::vector<Candidate> start;
  const auto candidate = [&](std::uint32_t left, std::uint32_t right) -> std::optional<Candidate> {
    const Merge* found = find_merge(links[left].id, links[right].id);
    if (found == nullptr) return std::nullopt;
    return Candidate{found->rank, left, found->result};
  };
  for (std::uint32_t index = 0; index < count; ++index) {
    links[index] = {symbols[index].id, index == 0 ? kNone : index - 1, index + 1 == count ? kNone : index + 1};
  }
  for (std::uint32_t index = 0; index + 1 < count; ++index) {
    if (const auto found = candidate(index, index + 1)) start.push_back(*found);
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue({}, std::move(start));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Link& left = links[best.left];
    if (left.next == best.left || left.next == kNone) continue;
    const auto still = candidate(best.left, left.next);
    if (!still || still->result != best.result) continue;  // one side has been merged since
    const std::uint32_t gone = left.next;
    left.id = best.result;
    left.next = links[gone].next;
    links[gone].next = gone;
    if (left.next != kNone) {
      links[left.next].previous = best.left;
      if (const auto found = candidate(best.left, left.next)) queue.push(*found);
    }
    if (left.previous != kNone) {
      if (const auto found = candidate(left.previous, best.left)) queue.push(*found);
    }
  }
  for (std::uint32_t index = 0; index != kNone && index < count; index = links[index].next)
    ids.push_back(links[index].id);
}

}  // namespace kvmesh::llm
