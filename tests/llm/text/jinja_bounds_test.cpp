#include <pthread.h>

#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <stdexcept>

#include "base/error.hpp"
#include "llm/text/chat_template.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"

namespace kvmesh::test {
namespace {

using llm::ChatTemplate;

/// What rendering ends with: the text, or what its error says.
std::string outcome(const std::string& source, const Json& variables = Json::object()) {
  try {
    return ChatTemplate::parse(source, {}).render(variables);
  } catch (const Error& error) {
    return error.what();
  }
}

std::string repeated(const std::string& part, int times) {
  std::string out;
  for (int count = 0; count < times; ++count) out += part;
  return out;
}

/// Runs `work` where the stack has `bytes`: half of what a thread has, so that another machine's larger frames fit,
/// too.
void with_stack(std::size_t bytes, std::function<void()> work) {
  pthread_attr_t attributes;
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, bytes) != 0 ||
      pthread_create(&thread, &attributes, run, &work) != 0) {
    throw std::runtime_error("no thread");
  }
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

constexpr std::size_t kHalfStack = std::size_t{4} << 20;

const std::string kSteps = "steps, the most that";
const std::string kMemory = "MiB of text and values, the most that";
const std::string kDeep = "deep, the most that";

struct Hostile {
  std::string source;
  std::string says;  ///< what its outcome contains
};

/// Each ends, within bounds and half a stack, with what it says.
void check_all(const std::vector<Hostile>& templates) {
  for (const Hostile& one : templates) {
    std::string got;
    with_stack(kHalfStack, [&] { got = outcome(one.source); });
    INFO(one.source.substr(0, 200) << "\n" << got.substr(0, 300));
    CHECK(got.find(one.says) != std::string::npos);
  }
}

TEST_CASE("values that hold each other, in circles or very deep, neither crash nor run for ever") {
  check_all({
      {"{% set ns = namespace(l=[]) %}{% for i in range(30000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", kDeep},
      {"{% set ns = namespace(l=[]) %}{% for i in range(30000) %}{% set ns.l = {1: ns.l} %}{% endfor %}{{ ns.l }}",
       kDeep},
      {"{% set ns = namespace(f=[]) %}{% for i in range(30000) %}{% set ns.f = [ns.f].index %}{% endfor %}", kDeep},
      {"{% set ns = namespace() %}{% set ns.l = [ns] %}{{ ns }}", "is printed"},
      {"{% set ns = namespace() %}{% set ns.l = ns %}{{ ns == ns.l }}{{ ns.l.l.l is defined }}", "TrueTrue"},
      // A chain of namespaces, of cyclers, of callers, of scopes: its end must not be one destructor inside another.
      {"{% set ns = namespace() %}{% for i in range(100000) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}ok", "ok"},
      {"{% set ns = namespace() %}{% set ns.at = ns %}{% for i in range(100000) %}{% set n = namespace() %}"
       "{% set at = ns.at %}{% set at.next = n %}{% set ns.at = n %}{% endfor %}ok",
       "ok"},
      {"{% set ns = namespace(c=0) %}{% for i in range(100000) %}{% set ns.c = cycler(ns.c) %}{% endfor %}ok", "ok"},
      {"{% set ns = namespace(m=0) %}{% for i in range(50000) %}{% set old = ns.m %}{% macro m() %}{{ old }}{% "
       "endmacro %}"
       "{% set ns.m = m %}{% endfor %}ok",
       "ok"},
      {"{% set ns = namespace(l=0) %}{% for i in range(50000) %}{% set x = ns.l %}{% for j in [x] %}{% set ns.l = loop "
       "%}"
       "{% endfor %}{% endfor %}ok",
       "ok"},
      // Small to write, and exponential to walk over.
      {"{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
       "the most that"},
      {"{% set ns = namespace(l=[], m=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
       "{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
       kSteps},
      {"{% set ns = namespace(l=()) %}{% for i in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
       kSteps},
      {"{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
       "{{ ns.l | tojson }}",
       "the most that"},
  });
}

TEST_CASE("long chains and deep nesting in a template end in a result or an error") {
  const auto print = [](const std::string& expression) { return "{{ " + expression + " }}"; };
  check_all({
      {print("1" + repeated(" ~ 1", 40000)), repeated("1", 40001)},
      {print("1" + repeated(" + 1", 40000)), "40001"},
      {print("1" + repeated(" - 1 ", 40000)), "-39999"},
      {print("1" + repeated(" and 1", 40000)), "1"},
      {print("0" + repeated(" or 0", 40000)), "0"},
      {print("1" + repeated(" < 2", 40000)), "False"},
      {print("1" + repeated(" ** 1", 40000)), "1"},
      {print("'a'" + repeated(" 'a'", 40000)), "aaa"},
      {print("1" + repeated("|abs", 40000)), kDeep},
      {print("a" + repeated(".a", 40000)), kDeep},
      {print("a" + repeated("()", 40000)), kDeep},
      {print("a" + repeated("[0]", 40000)), kDeep},
      {print("a" + repeated(" is defined", 40000)), "follow each other"},
      {print(repeated("not ", 40000) + "1"), kDeep},
      {print(repeated("-", 40000) + "1"), kDeep},
      {print(repeated("(", 40000) + "1" + repeated(")", 40000)), kDeep},
      {print(repeated("[", 40000) + repeated("]", 40000)), kDeep},
      {print(repeated("{1:", 40000) + "1" + repeated("}", 40000)), kDeep},
      {print(repeated("a(", 40000) + repeated(")", 40000)), kDeep},
      {print(repeated("a[", 40000) + "1" + repeated("]", 40000)), kDeep},
      {print("1" + repeated(" if 1 else 1", 40000)), kDeep},
      {print(repeated("(", 150) + "1" + repeated(repeated("|abs", 150) + ")", 150)), kDeep},
      {repeated("{% if 1 %}", 40000), kDeep},
      {repeated("{% for x in y %}", 40000), kDeep},
      {repeated("{% macro m() %}", 40000), kDeep},
      {"{% if 0 %}" + repeated("{% elif 0 %}", 40000) + "{% else %}end{% endif %}", "end"},
      {"{% set " + repeated("(", 40000) + "a" + repeated(")", 40000) + " = 1 %}", "deep"},
      {repeated("{% raw %}{% endraw %}{# x #}", 10000) + "end", "end"},
      {std::string((1 << 20) + 1, 'x'), "1048576 is the most"},
  });
}

TEST_CASE("what calls itself ends in an error, whatever stands between the calls") {
  const std::string nested = repeated("{% if 1 %}{% for x in [1] %}", 40) + "{{ " + repeated("(", 90) + "f()" +
                             repeated(")|string", 90) + " }}" + repeated("{% endfor %}{% endif %}", 40);
  check_all({
      {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", kDeep},
      {"{% macro f() %}" + nested + "{% endmacro %}{{ f() }}", kDeep},
      {"{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{{ caller() }}{% endmacro %}{{ f() }}", kDeep},
      {"{% macro f(a=f()) %}{% endmacro %}{{ f() }}", kDeep},
      {"{% set x = [1] %}{% for i in x recursive %}{{ loop(x) }}{% endfor %}", kDeep},
      {"{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(100) }}", "100999897"},
  });
}

TEST_CASE("no template runs for ever") {
  const std::string many = repeated("{% for x in range(100000) %}", 3);
  check_all({
      {many + "{% set y = x %}" + repeated("{% endfor %}", 3), kSteps},
      {"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}", kSteps},
      {"{% set s = 'a' * 10000000 %}{% for x in range(100000) %}{{ s | upper | length }}{% endfor %}", kSteps},
      {"{% set s = 'a' * 10000000 %}{% for x in range(100000) %}{{ s[x] }}{% endfor %}", kSteps},
      {"{% set s = 'a' * 10000000 %}{% for x in range(100000) %}{{ s == s ~ 'b' }}{% endfor %}", kSteps},
      // Searching takes time with the sum of both lengths, and not with their product.
      {"{% set s = 'a' * 10000000 %}{{ s.find('a' * 5000000 ~ 'b') }}", "-1"},
      {"{% set s = 'a' * 10000000 %}{{ s.rfind('b' ~ 'a' * 5000000) }}", "-1"},
      {"{% set s = 'a' * 10000000 %}{{ ('a' * 5000000 ~ 'b') in s }}", "False"},
      {"{% set s = 'a' * 1000000 %}{{ s.strip('b' * 1000000) | length }}", "1000000"},
      {"{% set l = range(100000) | list %}{% for x in l %}{{ -1 in l }}{% endfor %}", kSteps},
      {"{{ range(100000) | map('string') | unique | list | length }}", kSteps},
      {"{% set ns = namespace(l=range(100000) | list) %}{% for x in ns.l %}{{ ns.l | sort | length }}{% endfor %}",
       kSteps},
  });
}

TEST_CASE("no template takes all memory") {
  check_all({
      {"{{ 'a' * 99999999999 }}", kMemory},
      {"{{ 'a' * 9223372036854775807 }}", kMemory},
      {"{{ [1] * 9223372036854775807 }}", kMemory},
      {"{{ (1, 2, 3) * 6148914691236517206 }}", kMemory},
      {"{{ [] * 9223372036854775807 }}", "[]"},
      {"{{ 'a' | indent(9999999999, true) }}", kMemory},
      {"{{ ('a\n' * 1000) | indent('b' * 10000000) }}", kMemory},
      {"{{ 'a' | center(9223372036854775807) }}", kMemory},
      {"{{ 'a'.ljust(9999999999) }}{{ 'a'.zfill(9) }}", kMemory},
      {"{{ 'a'.zfill(9223372036854775807) }}", kMemory},
      {"{{ 'a\\tb'.expandtabs(9223372036854775807) }}", kMemory},
      {"{{ '%99999999999d' % 1 }}", "too large"},
      {"{{ '%2000000000d' % 1 }}", kMemory},
      {"{{ '%*s' % (900000000, 'a') }}", kMemory},
      {"{{ '%.2000000000f' % 1 }}", "1000 is the most"},
      {"{{ '{:2000000000}'.format(1) }}", kMemory},
      {"{{ '{:02000000000,}'.format(1) }}", kMemory},
      {"{{ '{:.2000000000f}'.format(1.0) }}", "1000 is the most"},
      {"{{ ('{0}' * 10000).format('a' * 1000000) }}", kMemory},
      {"{{ ('%(a)s' * 10000) % {'a': 'a' * 1000000} }}", kMemory},
      {"{{ [1] | batch(9223372036854775807, 0) | list }}", kMemory},
      {"{{ [1] | slice(9223372036854775807) | list }}", kMemory},
      {"{{ [1] | tojson(indent=9999999999) }}", "1000 is the most"},
      {"{{ ([1] * 100000) | tojson(separators=('a' * 10000, ':')) }}", kMemory},
      {"{{ ('a' * 100000).join(range(100000) | map('string')) }}", kMemory},
      {"{{ range(100000) | join('a' * 100000) }}", kMemory},
      {"{{ ('a' * 100000).replace('a', 'b' * 100000) }}", kMemory},
      {"{{ ('a' * 100000).replace('', 'b' * 100000) }}", kMemory},
      {"{{ ('a' * 100000) | replace('a', 'b' * 100000) }}", kMemory},
      {"{{ ['a' * 1000000] * 1000 }}", kMemory},
      {"{% set s = 'a' * 1000000 %}{% for x in range(1000) %}{{ s }}{% endfor %}", kMemory},
      {"{% set s = 'a' * 1000000 %}{% macro f() %}{{ s }}{% endmacro %}{% set ns = namespace(l=[]) %}"
       "{% for x in range(1000) %}{% set ns.l = ns.l + [f()] %}{% endfor %}",
       kMemory},
      {"{% set ns = namespace(l=[1]) %}{% for x in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", kMemory},
      {"{% set ns = namespace(s='a') %}{% for x in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", kMemory},
      {"{% set ns = namespace(l=[]) %}{% for x in range(1000) %}{% set ns.l = [ns.l, ('a' * 1000000).split('b')] %}{% "
       "endfor %}",
       "the most that"},
      {"{{ range(999999999999) }}", "100000 is the most"},
  });
}

TEST_CASE("what a loop's turns leave behind is gone after each") {
  // 2,000 turns, each with two megabytes of its own: they fit, because only those of one are held at a time.
  const std::string source =
      "{% for i in range(2000) %}{% set a = 'a' * 1000000 %}{% for j in [1] %}{% set b = a ~ 'b' %}{% endfor %}"
      "{% endfor %}end";
  CHECK(outcome(source) == "end");
}

TEST_CASE("a long conversation has room for what templates do with it") {
  Json messages = Json::array();
  for (int count = 0; count < 2000; ++count) {
    messages.push_back({{"role", count % 2 == 0 ? "user" : "assistant"}, {"content", std::string(2500, 'x')}});
  }
  const std::string source =
      "{% set ns = namespace(text='', last=0) %}{% for m in messages[::-1] %}{% if m.role == 'user' %}"
      "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}"
      "{% set ns.text = ns.text + '<|' + m.role + '|>' + m.content.split('</think>')[-1].lstrip('\\n') | trim %}"
      "{% endfor %}{{ ns.text | length }}";
  CHECK(outcome(source, {{"messages", messages}}) == std::to_string(1000 * (2500 + 8) + 1000 * (2500 + 13)));
}

TEST_CASE("an error of a bound names the line that it was reached in") {
  const std::string got = outcome("a\n{{ 'x' }}\n{{ 'a' * 99999999999 }}");
  CHECK(got.find("chat template: line 3: ") == 0);
  CHECK(got.find("256 MiB") != std::string::npos);
}

TEST_CASE("tokens glued together at random give a result or an error, and never a crash") {
  const std::vector<std::string> tokens{"{{ ",         " }}",         "{% ",
                                        " %}",         "{{- ",        "-%}",
                                        "{%+ ",        "{#",          "#}",
                                        "if ",         "elif ",       "else ",
                                        "endif ",      "for ",        "in ",
                                        "endfor ",     "recursive ",  "set ",
                                        "endset ",     "macro ",      "endmacro ",
                                        "call ",       "endcall ",    "filter ",
                                        "endfilter ",  "with ",       "endwith ",
                                        "raw ",        "endraw ",     "break ",
                                        "continue ",   "generation ", "not ",
                                        "and ",        "or ",         "is ",
                                        "a",           "b",           "m",
                                        "ns",          "loop",        "caller",
                                        "range",       "namespace",   "dict",
                                        "joiner",      "cycler",      "x",
                                        "'s'",         "'é\\101'",    "\"",
                                        "'",           "1",           "0",
                                        "-1",          "2.5",         "9223372036854775807",
                                        "1e308",       "true",        "none",
                                        "(",           ")",           "[",
                                        "]",           "{",           "}",
                                        ",",           ".",           ":",
                                        "=",           "==",          "<",
                                        ">=",          "!=",          "+",
                                        "-",           "*",           "/",
                                        "//",          "%",           "**",
                                        "~",           "|",           "|upper",
                                        "|join",       "|list",       "|tojson",
                                        "|safe",       "|e",          "|map('upper')",
                                        "|sort",       "|groupby(0)", "|batch(2)",
                                        "|indent(9)",  "|int",        "|round(-3)",
                                        "|first",      ".items()",    ".split()",
                                        ".format(1)",  "[::-1]",      "[1:]",
                                        " is defined", " is string",  "\n",
                                        " ",           "text",        "\xC3\xA9"};
  const Json variables{{"a", {1, "b", nullptr}}, {"b", {{"k", 1.5}}}, {"m", "text"}};
  std::mt19937 random(20251130);
  int rendered = 0;
  for (int round = 0; round < 40000; ++round) {
    // Half of them stand inside a print, so that more than the lexer and the parser is reached.
    std::string source = round % 2 == 0 ? "{{ " : "";
    const unsigned length = 1 + random() % 14;
    for (unsigned count = 0; count < length; ++count) source += tokens[random() % tokens.size()];
    if (round % 2 == 0) source += " }}";
    try {
      rendered += ChatTemplate::parse(source, {}).render(variables).empty() ? 0 : 1;
    } catch (const Error&) {
      continue;
    } catch (const std::exception& error) {
      FAIL("not an Error: " << error.what() << " from " << source);
    }
  }
  CHECK(rendered > 1000);
}

}  // namespace
}  // namespace kvmesh::test
