#include "llm/decode/stop_strings.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// Where the longest end of `text` begins that one of `strings` starts with.
std::size_t possible_start(const std::vector<std::string>& strings, std::string_view text) {
  std::size_t longest = 0;
  for (const std::string& string : strings) longest = std::max(longest, string.size() - 1);
  for (std::size_t size = std::min(longest, text.size()); size > 0; --size) {
    const std::string_view end = text.substr(text.size() - size);
    if (std::any_of(strings.begin(), strings.end(), [&](const std::string& string) { return string.starts_with(end); }))
      return text.size() - size;
  }
  return text.size();
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> plain, std::vector<std::string> with_special)
    : plain_(std::move(plain)), with_special_(std::move(with_special)) {
  for (const auto& strings : {std::cref(plain_), std::cref(with_special_)})
    for (const std::string& string : strings.get())
      if (string.empty()) fail_input("a stop string is empty; leave it out, or write what to stop at");
}

std::string StopStrings::push(std::string_view text) {
  if (found_) return "";
  all_ += text;
  is_text_.append(text.size(), 1);
  return let_through();
}

std::string StopStrings::push_special(std::string_view spelling) {
  if (found_) return "";
  all_ += spelling;
  is_text_.append(spelling.size(), 0);
  return let_through();
}

std::string StopStrings::finish() { return found_ ? "" : show_until(all_.size()); }

std::string StopStrings::let_through() {
  const Plain plain = plain_text();
  const std::optional<Match> match = find(plain);
  found_ = match.has_value();
  if (found_) return show_until(match->begin);
  const std::string_view held = std::string_view(all_).substr(done_);
  return show_until(
      std::min(plain.place[possible_start(plain_, plain.text)], done_ + possible_start(with_special_, held)));
}

StopStrings::Plain StopStrings::plain_text() const {
  Plain plain;
  for (std::size_t at = done_; at < all_.size(); ++at) {
    if (is_text_[at] == 0) continue;
    plain.text += all_[at];
    plain.place.push_back(at);
  }
  plain.place.push_back(all_.size());
  return plain;
}

std::optional<StopStrings::Match> StopStrings::find(const Plain& plain) const {
  std::optional<Match> first;
  const auto offer = [&](Match match) {
    if (first && (match.end > first->end || (match.end == first->end && match.begin >= first->begin))) return;
    first = match;
  };
  for (const std::string& string : plain_) {
    const std::size_t at = plain.text.find(string);
    if (at != std::string::npos) offer({plain.place[at], plain.place[at + string.size() - 1] + 1});
  }
  for (const std::string& string : with_special_) {
    const std::size_t at = all_.find(string, done_);
    if (at != std::string::npos) offer({at, at + string.size()});
  }
  return first;
}

/// The text, without special tokens, up to the byte `end` of all_.
std::string StopStrings::show_until(std::size_t end) {
  std::string shown;
  for (; done_ < end; ++done_)
    if (is_text_[done_] != 0) shown += all_[done_];
  return shown;
}

}  // namespace kvmesh::llm
