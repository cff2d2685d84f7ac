#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja::text {
namespace {

std::string bytes_reversed(std::string_view text) { return {text.rbegin(), text.rend()}; }

/// The pieces of `utf8` from right to left, put in order.
std::vector<std::string_view> in_order(std::vector<std::string_view> pieces) {
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

bool is_white(std::string_view utf8) { return is_space(utf8::decode(utf8)); }

/// Where the white space, or what is none, at the start of `utf8` ends.
std::size_t run_end(std::string_view utf8, bool white) {
  std::size_t at = 0;
  while (at < utf8.size() && is_white(utf8.substr(at)) == white) at += utf8::length(utf8[at]);
  return at;
}

/// Where the white space, or what is none, at the end of `utf8` starts.
std::size_t run_start(std::string_view utf8, bool white) {
  while (!utf8.empty()) {
    const std::size_t last = utf8::last_start(utf8);
    if (is_white(utf8.substr(last)) != white) break;
    utf8 = utf8.substr(0, last);
  }
  return utf8.size();
}

bool is_full(const std::vector<std::string_view>& pieces, long most) {
  return most >= 0 && pieces.size() == static_cast<std::size_t>(most);
}

/// Bytes of the line end that `utf8` starts with; 0: none.
std::size_t line_end(std::string_view utf8) {
  if (utf8.starts_with("\r\n")) return 2;
  if (std::string_view("\n\r\v\f\x1c\x1d\x1e").find(utf8.front()) != std::string_view::npos) return 1;
  if (utf8.starts_with("\xC2\x85")) return 2;
  return utf8.starts_with("\xE2\x80\xA8") || utf8.starts_with("\xE2\x80\xA9") ? 3 : 0;
}

}  // namespace

std::string_view strip(std::string_view utf8, Side side, const std::string* set) {
  std::unordered_set<std::string_view> of;
  if (set != nullptr) each_character(*set, [&](std::string_view character) { of.insert(character); });
  const auto goes = [&](std::string_view character) {
    return set != nullptr ? of.contains(character) : is_white(character);
  };
  while (side != Side::kRight && !utf8.empty() && goes(utf8.substr(0, utf8::length(utf8.front())))) {
    utf8.remove_prefix(utf8::length(utf8.front()));
  }
  while (side != Side::kLeft && !utf8.empty() && goes(utf8.substr(utf8::last_start(utf8)))) {
    utf8 = utf8.substr(0, utf8::last_start(utf8));
  }
  return utf8;
}

std::size_t find(std::string_view utf8, std::string_view part) {
  // std::string::find takes time with the product of both lengths; memmem takes it with their sum.
  if (part.empty()) return 0;
  if (utf8.empty()) return std::string_view::npos;
  const void* found = memmem(utf8.data(), utf8.size(), part.data(), part.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - utf8.data());
}

std::size_t find_last(std::string_view utf8, std::string_view part) {
  if (part.size() <= 1) return part.empty() ? utf8.size() : utf8.rfind(part);
  const std::size_t at = find(bytes_reversed(utf8), bytes_reversed(part));
  return at == std::string_view::npos ? at : utf8.size() - at - part.size();
}

std::size_t count(std::string_view utf8, std::string_view part) {
  std::size_t times = 0;
  for (std::size_t at; (at = find(utf8, part)) != std::string_view::npos; ++times) {
    utf8.remove_prefix(at + part.size());
  }
  return times;
}

std::vector<std::string_view> split_words(std::string_view utf8, long most) {
  std::vector<std::string_view> out;
  for (utf8.remove_prefix(run_end(utf8, true)); !utf8.empty(); utf8.remove_prefix(run_end(utf8, true))) {
    const std::size_t end = is_full(out, most) ? utf8.size() : run_end(utf8, false);
    out.push_back(utf8.substr(0, end));
    utf8.remove_prefix(end);
  }
  return out;
}

std::vector<std::string_view> split_words_from_right(std::string_view utf8, long most) {
  std::vector<std::string_view> out;
  while (!(utf8 = utf8.substr(0, run_start(utf8, true))).empty()) {
    const std::size_t start = is_full(out, most) ? 0 : run_start(utf8, false);
    out.push_back(utf8.substr(start));
    utf8 = utf8.substr(0, start);
  }
  return in_order(std::move(out));
}

std::vector<std::string_view> split(std::string_view utf8, std::string_view separator, long most) {
  std::vector<std::string_view> out;
  for (std::size_t at; !is_full(out, most) && (at = find(utf8, separator)) != std::string_view::npos;) {
    out.push_back(utf8.substr(0, at));
    utf8.remove_prefix(at + separator.size());
  }
  out.push_back(utf8);
  return out;
}

std::vector<std::string_view> split_from_right(std::string_view utf8, std::string_view separator, long most) {
  const std::string backwards = bytes_reversed(utf8);
  const std::string wanted = bytes_reversed(separator);
  std::vector<std::string_view> out;
  std::string_view rest = backwards;
  for (std::size_t at; !is_full(out, most) && (at = find(rest, wanted)) != std::string_view::npos;) {
    out.push_back(utf8.substr(utf8.size() - at));
    utf8.remove_suffix(at + separator.size());
    rest.remove_prefix(at + separator.size());
  }
  out.push_back(utf8);
  return in_order(std::move(out));
}

std::vector<std::string_view> lines(std::string_view utf8, bool keep_ends) {
  std::vector<std::string_view> out;
  std::size_t start = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const std::size_t ends = line_end(utf8.substr(at));
    if (ends != 0) {
      out.push_back(utf8.substr(start, at - start + (keep_ends ? ends : 0)));
      start = at + ends;
    }
    at += ends != 0 ? ends : utf8::length(utf8[at]);
  }
  if (start < utf8.size()) out.push_back(utf8.substr(start));
  return out;
}

void append_replaced(TextBuilder& out, std::string_view utf8, std::string_view from, std::string_view to, long most) {
  long times = 0;
  const auto has_more = [&] { return most < 0 || times < most; };
  if (from.empty()) {
    each_character(utf8, [&](std::string_view character) {
      if (has_more()) out.append(to), ++times;
      out.append(character);
    });
    if (has_more()) out.append(to);
    return;
  }
  for (std::size_t at; has_more() && (at = find(utf8, from)) != std::string_view::npos; ++times) {
    out.append(utf8.substr(0, at));
    out.append(to);
    utf8.remove_prefix(at + from.size());
  }
  out.append(utf8);
}

}  // namespace kvmesh::llm::jinja::text
