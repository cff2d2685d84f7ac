#include "cli/time_text.hpp"

#include <charconv>
#include <regex>

#include "base/error.hpp"

namespace kvmesh::cli {

std::chrono::system_clock::time_point time_from_text(const std::string& text) {
  using namespace std::chrono;
  std::int64_t since = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, since).ptr == end && !text.empty())
    return system_clock::time_point(seconds(since));

  static const std::regex kForm(
      R"((\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|([+-])(\d\d):?(\d\d))?)?)");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm)) fail_input("\"", text, "\" is no time; write it as 2025-07-10T12:00:00Z");
  const auto number = [&](std::size_t part) { return parts[part].matched ? std::stoi(parts[part].str()) : 0; };
  const year_month_day date{year(number(1)), month(static_cast<unsigned>(number(2))),
                            day(static_cast<unsigned>(number(3)))};
  if (!date.ok() || number(4) > 23 || number(5) > 59 || number(6) > 59)
    fail_input("\"", text, "\" is no time that there is");
  const auto offset = hours(number(8)) + minutes(number(9));
  return sys_days(date) + hours(number(4)) + minutes(number(5)) + seconds(number(6)) +
         (parts[7].str() == "-" ? offset : -offset);
}

}  // namespace kvmesh::cli
