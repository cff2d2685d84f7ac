#include <array>
#include <ctime>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::int64_t kLongestRange = 100000;  ///< as in Jinja's sandbox

Value range(Context&, const Arguments& arguments) {
  const Bound bound("range", arguments, {"start", "stop", "step"});
  const bool only_stop = arguments.positional.size() == 1;
  const std::int64_t start = only_stop ? 0 : bound.need("start").integer();
  const std::int64_t stop = only_stop ? bound.need("start").integer() : bound.need("stop").integer();
  const std::int64_t step = bound.integer("step", 1);
  if (step == 0) throw TemplateError("the step of 'range' cannot be 0");
  std::vector<Value> out;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop; at += step) {
    if (static_cast<std::int64_t>(out.size()) == kLongestRange) throw TemplateError("'range' is too long");
    out.emplace_back(at);
  }
  return Value::list(std::move(out));
}

/// The entries of dict(...) and namespace(...): of a mapping, and by name.
Dict entries_of(const std::string& function, const Arguments& arguments) {
  Dict out;
  for (const Value& source : arguments.positional) {
    if (source.is_dict()) {
      for (const auto& [key, value] : source.dict().entries) out.set(key, value);
      continue;
    }
    for (const Value& pair : source.items()) {
      const std::vector<Value> parts = pair.items();
      if (parts.size() != 2) throw TemplateError(cat("'", function, "' wants pairs, found ", pair.kind()));
      out.set(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.keyword) out.set(name, value);
  return out;
}

Value raise_exception(Context&, const Arguments& arguments) {
  const Value message = Bound("raise_exception", arguments, {"message"}).need("message");
  throw TemplateError(cat("the template refuses: ", message.str()));
}

Value strftime_now(Context& context, const Arguments& arguments) {
  const std::string format = Bound("strftime_now", arguments, {"format"}).need("format").str();
  if (format.empty()) return "";
  const auto now = context.now().value_or(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  if (context.now()) {
    gmtime_r(&seconds, &parts);
  } else {
    localtime_r(&seconds, &parts);
  }
  std::array<char, 1024> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), format.c_str(), &parts);
  if (length == 0) throw TemplateError(cat("'strftime_now' cannot use the format '", format, "'"));
  return std::string(text.data(), length);
}

}  // namespace

void define_globals(Context& context) {
  const auto define = [&](const char* name, Value (*call)(Context&, const Arguments&)) {
    context.set(name, Function{name, call});
  };
  define("range", range);
  define("raise_exception", raise_exception);
  define("strftime_now", strftime_now);
  define("dict", [](Context&, const Arguments& arguments) {
    return Value(std::make_shared<Dict>(entries_of("dict", arguments)));
  });
  define("namespace", [](Context& running, const Arguments& arguments) {
    auto names = running.make_namespace();
    names->attributes = entries_of("namespace", arguments);
    return Value(std::move(names));
  });
}

}  // namespace kvmesh::llm::jinja
