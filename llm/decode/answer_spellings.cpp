#include "llm/decode/answer_spellings.hpp"

#include <algorithm>
#include <string>

#include "llm/text/jinja/text.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// What stands before the answer while it is encoded: a line's end, so that no word grows into it, behind characters
/// that a tokenizer may have something to put before.
constexpr std::string_view kLineBefore = "A:\n";

/// The tokens of `text` behind a line of text.
std::vector<std::int64_t> encode_behind_line(const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<std::int64_t> line = tokenizer.encode(kLineBefore, /*add_special=*/false);
  std::vector<std::int64_t> ids = tokenizer.encode(std::string(kLineBefore) + text, /*add_special=*/false);
  // A tokenizer that joins the line's end with what follows has no tokens for the answer alone but these.
  if (ids.size() < line.size() || !std::equal(line.begin(), line.end(), ids.begin()))
    ids = tokenizer.encode(text, /*add_special=*/false);
  else ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(line.size()));
  std::erase_if(ids, [&](std::int64_t id) { return tokenizer.is_special(id); });
  return ids;
}

}  // namespace

std::vector<std::vector<std::int64_t>> answer_spellings(const Tokenizer& tokenizer, std::string_view answer) {
  const std::string valid = utf8::sanitize(answer);
  const std::string plain(jinja::text::strip(valid, jinja::text::Side::kBoth));
  if (plain.empty()) return {};
  const std::size_t first = utf8::length(plain.front());
  const std::string capitalised = jinja::text::upper(plain.substr(0, first)) + plain.substr(first);
  std::vector<std::vector<std::int64_t>> spellings;
  for (const std::string& text : {plain, " " + plain, capitalised}) {
    std::vector<std::int64_t> ids = encode_behind_line(tokenizer, text);
    if (ids.empty()) return {};  // special tokens alone
    const bool known = std::find(spellings.begin(), spellings.end(), ids) != spellings.end();
    if (!known) spellings.push_back(std::move(ids));
  }
  return spellings;
}

}  // namespace kvmesh::llm
