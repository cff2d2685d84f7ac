#include <array>
#include <cstdio>
#include <ctime>

#include "llm/text/jinja/library.hpp"

namespace kvmesh::llm::jinja {
namespace {

using TimePoint = Context::TimePoint;

std::string microseconds_of(TimePoint now) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  const auto rest = ((since % std::chrono::seconds(1)) + std::chrono::seconds(1)) % std::chrono::seconds(1);
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%06d", static_cast<int>(rest.count()));
  return text.data();
}

/// What only Python knows, or leaves empty where a time has no zone, written out.
std::string with_python_fields(const std::string& format, TimePoint now) {
  std::string out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    const char letter = format[at] == '%' && at + 1 < format.size() ? format[at + 1] : '\0';
    if (letter == 'f') out += microseconds_of(now);
    else if (letter == '%') out += "%%";
    else if (letter != 'z' && letter != 'Z') {
      out += format[at];
      continue;
    }
    ++at;
  }
  return out;
}

}  // namespace

Value strftime_now(Context& context, const Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"});
  bound.need("format");
  const std::string given = bound.text("format", "");
  const TimePoint now = context.now().value_or(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  if (context.now()) {
    gmtime_r(&seconds, &parts);
  } else {
    localtime_r(&seconds, &parts);
  }
  // A letter in front tells a text that is empty from one that does not fit.
  std::string format = "x";
  format += with_python_fields(given, now);
  std::array<char, 4096> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), format.c_str(), &parts);
  if (length == 0) refuse("what 'strftime_now' would write has more than ", text.size(), " bytes");
  return Value(context.budget(), std::string(text.data() + 1, length - 1));
}

}  // namespace kvmesh::llm::jinja
