#include "cli/time_text.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.hpp"

namespace kvmesh::cli {
namespace {

/// What is left of a text while its parts are taken off its front.
class Rest {
 public:
  explicit Rest(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  /// Takes one of `characters`; 0: none of them comes next.
  char take(std::string_view characters) {
    if (text_.empty() || characters.find(text_[0]) == std::string_view::npos) return 0;
    const char taken = text_[0];
    text_.remove_prefix(1);
    return taken;
  }
  /// A number of exactly `digits` digits.
  bool number(std::size_t digits, int& value) {
    const std::string_view part = text_.substr(0, digits);
    if (part.size() < digits || !std::all_of(part.begin(), part.end(), is_digit)) return false;
    std::from_chars(part.data(), part.data() + digits, value);
    text_.remove_prefix(digits);
    return true;
  }
  bool skip_digits() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_digit);
    const bool any = end != text_.begin();
    text_.remove_prefix(static_cast<std::size_t>(end - text_.begin()));
    return any;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view text_;
};

struct Parts {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  char sign = 0;  ///< of the offset; 0: none, UTC
  int offset_hours = 0, offset_minutes = 0;
};

/// ":SS", or ":SS.FFF", whose fraction is dropped.
bool read_seconds(Rest& rest, Parts& parts) {
  if (!rest.take(":")) return true;
  return rest.number(2, parts.second) && (!rest.take(".") || rest.skip_digits());
}

/// "Z", or "+HH:MM", whose colon may be missing.
bool read_offset(Rest& rest, Parts& parts) {
  if (rest.take("Z")) return true;
  parts.sign = rest.take("+-");
  if (!parts.sign) return true;
  if (!rest.number(2, parts.offset_hours)) return false;
  rest.take(":");
  return rest.number(2, parts.offset_minutes);
}

/// A date of ISO 8601, alone or with a time of day.
bool read_parts(Rest rest, Parts& parts) {
  const bool date = rest.number(4, parts.year) && rest.take("-") && rest.number(2, parts.month) && rest.take("-") &&
                    rest.number(2, parts.day);
  if (!date || rest.done()) return date;
  return rest.take("T ") && rest.number(2, parts.hour) && rest.take(":") && rest.number(2, parts.minute) &&
         read_seconds(rest, parts) && read_offset(rest, parts) && rest.done();
}

}  // namespace

std::chrono::system_clock::time_point time_from_text(const std::string& text) {
  using namespace std::chrono;
  std::int64_t since = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, since).ptr == end && !text.empty())
    return system_clock::time_point(seconds(since));

  Parts parts;
  if (!read_parts(Rest(text), parts)) fail_input("\"", text, "\" is no time; write it as 2025-07-10T12:00:00Z");
  const year_month_day date{year(parts.year), month(static_cast<unsigned>(parts.month)),
                            day(static_cast<unsigned>(parts.day))};
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 59)
    fail_input("\"", text, "\" is no time that there is");
  const auto offset = hours(parts.offset_hours) + minutes(parts.offset_minutes);
  return sys_days(date) + hours(parts.hour) + minutes(parts.minute) + seconds(parts.second) +
         (parts.sign == '-' ? offset : -offset);
}

}  // namespace kvmesh::cli
