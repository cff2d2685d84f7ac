#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "llm/text/chat_template.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/places.hpp"

namespace kvmesh::test {
namespace {

namespace fs = std::filesystem;
using llm::ChatTemplate;

const fs::path kSource = source_dir();
const auto kNoon = std::chrono::system_clock::from_time_t(1752148800);  // 2025-07-10 12:00 UTC

std::string render(const std::string& source, const Json& variables = Json::object()) {
  return ChatTemplate::parse(source, {}).render(variables, kNoon);
}

struct Case {
  std::string source;
  std::string expected;
};

/// Expected texts are what Jinja 3.1 gives with transformers' settings.
void check_all(const std::vector<Case>& cases, const Json& variables = Json::object()) {
  for (const Case& one : cases) {
    INFO(one.source);
    CHECK(render(one.source, variables) == one.expected);
  }
}

TEST_CASE("real templates give the known texts") {
  const fs::path file = kSource / ".." / "shared" / "chat_templates" / "cases.json";
  if (!fs::exists(file)) {
    WARN("skipped: " << file << " is not here");
    SUCCEED();
    return;
  }
  const Json cases = Json::parse(read_text(file));
  for (const char* group : {"default", "custom"}) {
    for (const auto& [name, one] : cases[group].items()) {
      INFO(name);
      CHECK(render(one["chat_template"].get<std::string>(), one["data"]) == one["target"].get<std::string>());
    }
  }
}

TEST_CASE("the shipped template makes one user turn") {
  const ChatTemplate chat = ChatTemplate::load(kSource / "models" / "tiny");
  CHECK(chat.render_user_turn("Hi {{ x }}") == "<|im_start|>user\nHi {{ x }}<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("white space around tags is trimmed as transformers trims it") {
  check_all({{"a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"},
             {"a {%- if true -%} b {%- endif -%} c", "abc"},
             {"  {{ 1 }}\n", "  1"},
             {"x\n  {#- note -#}  \ny", "xy"},
             {"{# note #}\nz", "z"},
             {"a\n  {%+ if true %}b{% endif +%}\nc", "a\n  b\nc"},
             {"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
             {"{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}"}});
}

TEST_CASE("operators bind as in Jinja") {
  check_all(
      {{"{{ 1 + 2 * 3 }} {{ -2 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}", "7 4 3 -4 2 3.5"},
       {"{{ 'a' ~ 1 * 2 }}", "a2"},
       {"{{ not true or true }} {{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ 'b' in 'abc' }} {{ 3 not in [1] }}",
        "True True True True True"},
       {"{{ 'x' if false else 'y' if false else 'z' }}|{{ 'x' if false }}", "z|"},
       {"{{ none or 'd' }} {{ '' and 'x' }}{{ 0 or [] }}", "d []"},
       {"{{ 'a' * 3 }} {{ [1] + [2] }} {{ '%s-%d' % ('a', 3) }}", "aaa [1, 2] a-3"},
       {"{{ -1|abs }} {{ (1, 2) }} {{ (1,) }} {{ 1e20 }} {{ 1e-5 }} {{ 2.0 }}", "1 (1, 2) (1,) 1e+20 1e-05 2.0"}});
}

TEST_CASE("slices and indices count characters from both ends") {
  check_all({{"{{ s[1:3] }} {{ s[::-1] }} {{ s[-1] }} {{ l[1:] }} {{ l[::2] }} {{ l[-2:] }} {{ l[5] }}|{{ l[3:0:-2] }}",
              "éf fféa f [2, 3, 4] [1, 3] [3, 4] |[4, 2]"}},
            {{"s", "aéff"}, {"l", {1, 2, 3, 4}}});
}

TEST_CASE("loops know where they are, filter, and can be left") {
  check_all({{"{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.last }}{{ loop.previtem }} {% endfor %}",
              "1False 2False1 3True2 "},
             {"{% for x in [1, 2, 3, 4] if x is even %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}", "2242"},
             {"{% for x in [] %}{% else %}none{% endfor %}", "none"},
             {"{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"},
             {"{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "1"},
             {"{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2"}});
}

TEST_CASE("a loop keeps its names to itself, and a namespace does not") {
  check_all({{"{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "231"},
             {"{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "3"},
             {"{% if true %}{% set y = 2 %}{% endif %}{{ y }}", "2"},
             {"{% set a, b = 1, 2 %}{{ b }}{{ a }}", "21"},
             {"{% set t | upper %}a{{ 1 }}{% endset %}{{ t }}", "A1"},
             {"{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "1"},
             {"{% filter upper %}x{% endfilter %}", "X"}});
}

TEST_CASE("macros take defaults, names, stars and callers") {
  check_all({{"{% macro f(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{{ f(*[3, 4]) }}", "1x1234"},
             {"{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in{% endcall %}", "[in]"},
             {"{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"},
             {"{% generation %}said{% endgeneration %}", "said"}});
}

TEST_CASE("a recursive loop calls itself one level deeper") {
  check_all(
      {{"{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}"
        "{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}",
        "1@1(2@2(3@3))"}});
}

TEST_CASE("formats are Python's, by percent and by braces") {
  check_all({{"{{ '%05d|%-5s|%5.2f|%x|%+d|%r|%%' % (42, 'ab', 1.239, 255, 7, 'q') }}", "00042|ab   | 1.24|ff|+7|'q'|%"},
             {"{{ '%(a)s-%(b)03d' % {'a': 'x', 'b': 7} }} {{ '%s' % [1, 2] }} {{ '%s, %s' | format('a', 1) }}",
              "x-007 [1, 2] a, 1"},
             {"{{ '{:>5}|{:*<4}|{:^5}|{:05d}|{:.2f}|{:,}|{!r}|{a[0]}|{{}}'.format('a', 'b', 'c', -42, 1.234, 1234567,"
              " 'q', a=[9]) }}",
              "    a|b***|  c  |-0042|1.23|1,234,567|'q'|9|{}"}});
}

TEST_CASE("tests ask what a value is") {
  check_all({{"{{ x is defined }}{{ x is not defined }}{{ none is none }}{{ 'a' is string }}{{ {} is mapping }}",
              "FalseTrueTrueTrueTrue"},
             {"{{ [] is iterable }}{{ 1 is number }}{{ true is boolean }}{{ 1 is true }}{{ 2 is in [1, 2] }}",
              "TrueTrueTrueFalseTrue"},
             {"{{ 'a' is equalto 'a' }}{{ 4 is divisibleby 2 }}{{ 1 is integer }}{{ true is integer }}",
              "TrueTrueTrueFalse"}});
}

TEST_CASE("filters work on texts and lists") {
  const Json tool = {{"b", 1}, {"a", {"x", nullptr, 1.5, "é\n\"<"}}};
  check_all({{"{{ t | tojson }}", R"({"b": 1, "a": ["x", null, 1.5, "é\n\"<"]})"},
             {"{{ {'a': [1]} | tojson(indent=2) }}", "{\n  \"a\": [\n    1\n  ]\n}"},
             {"{{ ' a ' | trim }}|{{ 'ab' | upper | lower | capitalize }}|{{ 'a-b c' | title }}", "a|Ab|A-B C"},
             {"{{ [3, 1, 2] | sort | join(',') }} {{ ['b', 'B', 'a'] | unique | list }} {{ [1, 2] | sum }}",
              "1,2,3 ['b', 'a'] 3"},
             {"{{ m | selectattr('r', 'equalto', 'u') | map(attribute='c') | join }}", "xz"},
             {"{{ m | rejectattr('r', 'equalto', 'u') | list | length }} {{ m | map(attribute='r') | list | last }}",
              "1 u"},
             {"{{ 'a\nb' | indent }}|{{ 'a\nb' | indent(2, true) }}", "a\n    b|  a\n  b"},
             {"{{ x | default('d') }}{{ '' | default('e', true) }}{{ 'aXa' | replace('a', 'b') }}", "debXb"},
             {"{{ '42' | int + 1 }} {{ 'q' | int }} {{ 2.5 | round }} {{ 2.567 | round(2) }} {{ 3.7 | int }}",
              "43 0 2.0 2.57 3"},
             {"{{ 42 | round }} {{ {'a': [1]} | tojson(indent='-') }} {{ [1, 2, 3] | slice(2) | list }} "
              "{{ none | map('upper') | list }}",
              "42 {\n-\"a\": [\n--1\n-]\n} [[1, 2], [3]] []"},
             {"{{ {'b': 2, 'a': 1} | dictsort }} {{ {'k': 1} | items | list }} {{ 'abc' | first }}",
              "[('a', 1), ('b', 2)] [('k', 1)] a"}},
            {{"t", tool}, {"m", {{{"r", "u"}, {"c", "x"}}, {{"r", "a"}, {"c", "y"}}, {{"r", "u"}, {"c", "z"}}}}});
}

TEST_CASE("strings and mappings have Python's methods") {
  check_all(
      {{"{{ 'a,b,c'.split(',', 1) }} {{ ' a b '.split() }} {{ 'xax'.strip('x') }} {{ 'ab'.startswith(('b', 'a')) }}",
        "['a', 'b,c'] ['a', 'b'] a True"},
       {"{{ \"it's\".title() }} {{ 'a</t>b'.split('</t>')[-1].lstrip('\\n') }} {{ 'abab'.replace('a', 'c', 1) }}",
        "It'S b cbab"},
       {"{{ d.get('a') }} {{ d.get('z', 0) }} {{ d.keys() | list }} {{ d['a'] }} {{ d.z }}|{{ d.items() | list }}",
        "1 0 ['a'] 1 |[('a', 1)]"},
       {"{{ 'abcabc'.find('b', 2) }} {{ 'abc'.startswith('b', 1) }} {{ 'a-b-c'.rpartition('-') }} "
        "{{ 'a b c '.rsplit(none, 1) }} {{ 'ab'.rjust(4, '.') }} {{ '-7'.zfill(4) }} {{ 'aB'.swapcase() }}",
        "4 True ('a-b', '-', 'c') ['a b', 'c'] ..ab -007 Ab"},
       {"{{ ['a', \"b'\", 'c\\n', none, true] }}", "['a', \"b'\", 'c\\n', None, True]"}},
      {{"d", {{"a", 1}}}});
}

TEST_CASE("a whole number that 64 bits cannot hold is refused, not printed as another") {
  CHECK(render("{{ n }}", {{"n", std::int64_t{-9223372036854775807}}}) == "-9223372036854775807");
  CHECK_THROWS_WITH(render("{{ n }}", {{"n", std::uint64_t{9223372036854775808ULL}}}), Catch::Contains("too large"));
}

TEST_CASE("the clock is the caller's") { CHECK(render("{{ strftime_now('%d %b %Y') }}") == "10 Jul 2025"); }

TEST_CASE("a template's own refusal is an error with its words") {
  CHECK_THROWS_WITH(render("a\n{{ raise_exception('roles must alternate') }}"),
                    Catch::Contains("line 2") && Catch::Contains("roles must alternate"));
}

TEST_CASE("what is not supported is quoted with its line") {
  const auto refused = [](const std::string& source, const std::string& quote) {
    INFO(source);
    CHECK_THROWS_WITH(render(source), Catch::Contains("line 2") && Catch::Contains(quote));
  };
  refused("\n{% include 'x' %}", "include");
  refused("\n{{ 1 | sparkle }}", "sparkle");
  refused("\n{{ 1 is sparkly }}", "sparkly");
  refused("\n{{ shine() }}", "shine");
  refused("\n{{ a.b }}", "'a' is undefined");
  refused("\n{{ [1].append(2) }}", "append");
  refused("\n{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "at most 1");
  refused("\n{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "'b'");
  refused("\n{{ '{:>q}'.format(1) }}", "{:>q}");
  refused("\n{{ '%y' % 1 }}", "%y");
  refused("\n{% do x %}", "do x");
  refused("\n{% if x %}", "endif");
  refused("\n{{ 'x }}", "not closed");
  refused("\n{{ 1 + 'a' }}", "'+'");
  refused("\n{{ 1 // 0 }}", "zero");
}

TEST_CASE("a template that is not UTF-8 is an error") { CHECK_THROWS_WITH(render("\xFF"), Catch::Contains("UTF-8")); }

TEST_CASE("a JSON file that is broken is named with its line and column, and large numbers are none of ours") {
  const TempDir folder;
  folder.write("tokenizer_config.json",
               "{\"model_max_length\": 1000000000000000019884624838656,\n \"chat_template\": \"x\"}");
  CHECK(ChatTemplate::load(folder.path()).render_user_turn("Hi") == "x");
  folder.write("tokenizer_config.json", "{\"chat_template\": \"x\",\n \"eos_token\": }");
  CHECK_THROWS_WITH(ChatTemplate::load(folder.path()), Catch::Contains("tokenizer_config.json:2:15: "));
}

TEST_CASE("a template file that cannot be read is named") {
  const TempDir folder;
  std::filesystem::create_symlink("chat_template.jinja", folder.path() / "chat_template.jinja");
  CHECK_THROWS_WITH(ChatTemplate::load(folder.path()), Catch::Contains("chat_template.jinja: "));
}

TEST_CASE("a checkpoint's template file goes before its config, and special tokens are variables") {
  const TempDir folder;
  CHECK_FALSE(ChatTemplate::exists(folder.path()));
  CHECK_THROWS_WITH(ChatTemplate::load(folder.path()), Catch::Contains("no chat template"));
  folder.write("tokenizer_config.json",
               R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [
                   {"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ bos_token }}list"}]})");
  CHECK(ChatTemplate::exists(folder.path()));
  CHECK(ChatTemplate::load(folder.path()).render_user_turn("") == "<s>list");
  folder.write("chat_template.jinja", "{{ eos_token }}file{{ messages[0].content }}");
  CHECK(ChatTemplate::load(folder.path()).render_user_turn("!") == "</s>file!");
}

TEST_CASE("the template named tool_use is for messages with tools") {
  const TempDir folder;
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "with {{ tools[0] }}"},
                                                              {"name": "default", "template": "without"}]})");
  const ChatTemplate chat = ChatTemplate::load(folder.path());
  CHECK(chat.render(Json{{"messages", Json::array()}, {"tools", {"hammer"}}}) == "with hammer");
  CHECK(chat.render(Json{{"messages", Json::array()}, {"tools", nullptr}}) == "without");
  CHECK(chat.render_user_turn("Hi") == "without");
}

TEST_CASE("a template that is not understood is an error when it is used, and not before") {
  const TempDir folder;
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "{% include 'x' %}"},
                                                              {"name": "default", "template": "without"}]})");
  const ChatTemplate chat = ChatTemplate::load(folder.path());
  CHECK(chat.render_user_turn("Hi") == "without");
  CHECK_THROWS_WITH(chat.render(Json{{"messages", Json::array()}, {"tools", {"hammer"}}}),
                    Catch::Contains("tokenizer_config.json") && Catch::Contains("include"));
}

TEST_CASE("templates of a folder of their own and special_tokens_map.json are found") {
  const TempDir folder;
  std::filesystem::create_directory(folder.path() / "additional_chat_templates");
  folder.write("additional_chat_templates/tool_use.jinja", "tools{{ pad_token }}");
  folder.write("chat_template.jinja", "plain{{ bos_token }}");
  folder.write("special_tokens_map.json", R"({"bos_token": "<b>", "pad_token": {"content": "<p>"}})");
  const ChatTemplate chat = ChatTemplate::load(folder.path());
  CHECK(chat.render_user_turn("") == "plain<b>");
  CHECK(chat.render(Json{{"messages", Json::array()}, {"tools", Json::array({1})}}) == "tools<p>");
}

TEST_CASE("a processor's chat_template.json is the last to be asked") {
  const TempDir folder;
  folder.write("chat_template.json", R"({"chat_template": "old {{ messages[0].content }}"})");
  CHECK(ChatTemplate::load(folder.path()).render_user_turn("Hi") == "old Hi");
  folder.write("tokenizer_config.json", R"({"chat_template": "new"})");
  CHECK(ChatTemplate::load(folder.path()).render_user_turn("Hi") == "new");
}

TEST_CASE("a user turn has its system message first, and templates find tools to be none") {
  const ChatTemplate chat =
      ChatTemplate::parse("{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{{ tools is none }}", {});
  CHECK(chat.render_user_turn("Hi", "Be brief.") == "system:Be brief.;user:Hi;True");
  CHECK(chat.render_user_turn("Hi") == "user:Hi;True");
}

}  // namespace
}  // namespace kvmesh::test
