#include "llm/decode/stop_strings.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm {

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  for (const std::string& string : strings_)
    if (string.empty()) fail_input("a stop string is empty; leave it out, or write what to stop at");
}

std::string StopStrings::push(std::string_view text) {
  if (found_) return "";
  held_ += text;
  std::size_t end = 0;
  found_ = find(end);
  if (!found_) end = possible_start();
  std::string shown = held_.substr(0, end);
  held_.erase(0, end);
  return shown;
}

std::string StopStrings::finish() { return found_ ? "" : std::exchange(held_, {}); }

bool StopStrings::find(std::size_t& begin) const {
  std::size_t first_end = std::string::npos;
  for (const std::string& string : strings_) {
    const std::size_t at = held_.find(string);
    if (at == std::string::npos) continue;
    const std::size_t end = at + string.size();
    if (end > first_end || (end == first_end && at >= begin)) continue;
    first_end = end;
    begin = at;
  }
  return first_end != std::string::npos;
}

/// Where the longest end of what is held begins that a stop string starts with.
std::size_t StopStrings::possible_start() const {
  std::size_t longest = 0;
  for (const std::string& string : strings_) longest = std::max(longest, string.size() - 1);
  for (std::size_t size = std::min(longest, held_.size()); size > 0; --size) {
    const std::string_view end = std::string_view(held_).substr(held_.size() - size);
    if (std::any_of(strings_.begin(), strings_.end(),
                    [&](const std::string& string) { return string.starts_with(end); }))
      return held_.size() - size;
  }
  return held_.size();
}

std::string text_before(const std::vector<std::string>& stop, std::string_view text) {
  StopStrings stops(stop);
  std::string shown = stops.push(text);
  return shown + stops.finish();
}

}  // namespace kvmesh::llm
