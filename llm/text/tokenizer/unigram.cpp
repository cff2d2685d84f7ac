#include "llm/text/tokenizer/unigram.hpp"

#include <algorithm>
#include <limits>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// How much less probable an unknown character is than the least probable token. SentencePiece's number.
constexpr double kUnknownPenalty = 10.0;

constexpr std::size_t kLongestCached = 64;  ///< bytes; longer pieces hardly come twice

}  // namespace

Unigram::Unigram(const Description& model) {
  read_vocabulary(model.at("vocab"));
  if (model.has("unk_id")) {
    const std::int64_t id = model.number("unk_id");
    if (static_cast<std::size_t>(id) >= scores_.size()) {
      model.at("unk_id").fail(id, " is not below the vocabulary's size, ", scores_.size());
    }
    unknown_ = static_cast<Id>(id);
  }
  if (model.flag("byte_fallback", false)) byte_tokens_ = byte_tokens_of(*this);
}

void Unigram::read_vocabulary(const Description& vocabulary) {
  const std::size_t size = vocabulary.size();
  expect_tokens(size);
  scores_.reserve(size);
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t index = 0; index < size; ++index) {
    const nlohmann::json& entry = vocabulary.value()[index];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      vocabulary.at(index).fail("expected [token, score]");
    }
    const auto& token = entry[0].get_ref<const std::string&>();
    const double score = entry[1].get<double>();
    add_token(token, static_cast<Id>(index));
    if (!token.empty()) tree_.add(token, static_cast<Id>(index));
    scores_.push_back(score);
    lowest = std::min(lowest, score);
  }
  unknown_score_ = lowest - kUnknownPenalty;
}

Unigram::Id Unigram::unknown_for(std::string_view text) const {
  if (unknown_) return *unknown_;
  fail_input("tokenizer.json: model: \"", text,
             "\" is in no token of the vocabulary, and there is no \"unk_id\" to stand "
             "in for it");
}

/// What ends at each byte of `piece`. Of ways that score the same the first that is found stays.
std::vector<Unigram::Best> Unigram::find_best(std::string_view piece) const {
  std::vector<Best> best(piece.size() + 1);
  const auto offer = [&](std::size_t end, const Best& way) {
    if (best[end].id == kNoId || way.score > best[end].score) best[end] = way;
  };
  for (std::size_t start = 0; start < piece.size();) {
    const std::size_t character = utf8::length(piece[start]);
    const double score = best[start].score;
    bool is_token = false;
    tree_.find_prefixes(piece.substr(start), [&](std::size_t length, Id id) {
      offer(start + length, {scores_[id] + score, start, id});
      is_token = is_token || length == character;
    });
    if (!is_token) {
      offer(start + character, {unknown_score_ + score, start, unknown_for(piece.substr(start, character))});
    }
    start += character;
  }
  return best;
}

void Unigram::append(std::string_view token, std::vector<std::int64_t>& ids) const {
  if (const auto id = find(token)) {
    ids.push_back(*id);
    return;
  }
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  if (!byte_tokens_.empty() &&
      std::all_of(token.begin(), token.end(), [&](char byte) { return token_of(byte).has_value(); })) {
    for (const char byte : token) ids.push_back(*token_of(byte));
    return;
  }
  ids.push_back(unknown_for(token));
}

void Unigram::encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const {
  if (const auto found = cache.find(std::string(piece)); found != cache.end()) {
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return;
  }
  const std::vector<Best> best = find_best(piece);
  std::vector<std::string_view> tokens;
  for (std::size_t end = piece.size(); end > 0;) {
    // Unknown characters that stand side by side are one token.
    std::size_t start = best[end].start;
    while (start > 0 && best[end].id == unknown_ && best[start].id == unknown_) start = best[start].start;
    tokens.push_back(piece.substr(start, end - start));
    end = start;
  }
  const std::size_t before = ids.size();
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) append(*token, ids);
  if (piece.size() <= kLongestCached) {
    cache.emplace(piece, std::vector<std::int64_t>(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end()));
  }
}

}  // namespace kvmesh::llm
