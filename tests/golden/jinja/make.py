#!/usr/bin/env python3
"""Writes cases.json beside it: what Jinja gives for many small templates, in the environment that transformers sets up.

  pip install jinja2==3.1.6 markupsafe==3.0.3
  python3 make.py            # Python 3.11, whose Unicode is version 14

Each case is [template, text], or [template] alone where Jinja raises an error. All share the variables below and a clock
that stands at 2025-07-10 12:00:00.123456 UTC. A template whose result depends on an address in memory has no place here,
nor has one that uses what docs/tokenizers.md does not list.
"""

import datetime
import json
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "s": "Hello, World", "empty": "", "html": "<b>\"it's\" & co</b>", "uni": "aéß東\U0001f600", "text": "a\nb\n\nc",
    "n": 7, "z": 0, "neg": -7, "f": 2.5, "yes": True, "no": False, "nothing": None,
    "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "nested": [[1, 2], [3, [4, 5]]], "none_yet": [],
    "d": {"b": 2, "a": 1}, "deep": {"x": {"y": [10, {"z": "end"}]}, "items": "own", "1": "one"},
    "rows": [[1, 2], [3, 4]],
    "people": [{"name": "Zoe", "age": 30, "city": "Rome"}, {"name": "adam", "age": 25},
               {"name": "Bob", "age": 30, "city": "rome"}],
    "messages": [{"role": "system", "content": "Be <brief>."}, {"role": "user", "content": "Hi & bye"},
                 {"role": "assistant", "content": None, "tool_calls": [
                     {"id": "1", "function": {"name": "f", "arguments": {"q": "\"x\" <y>", "n": [1, 2.0, None]}}}]},
                 {"role": "tool", "content": "42", "tool_call_id": "1"}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d\u00e9", "parameters": {
        "type": "object", "properties": {"q": {"type": "string"}, "k": {"type": ["integer", "null"]}},
        "required": ["q"]}}}],
}

CASES = {}
CASES["printing"] = r"""
{{ l }}|{{ d }}|{{ nested }}|{{ yes }}|{{ nothing }}|{{ f }}|{{ missing }}
{{ [missing, none, true, 1.0, 'a', "it's", 'say "x"', 'both \' and "'] }}
{{ (1,) }}{{ () }}{{ (1, 'a') }}{{ [] }}{{ {} }}{{ [[]] }}
{{ ['\n\t\r\\', '\x00\x7f\x85', uni, '\u200b', '\ue000'] }}
{{ 1e16 }} {{ 1e15 }} {{ 123456789012345680.0 }} {{ 1e-4 }} {{ 0.00001 }} {{ 1e100 }} {{ 0.1 + 0.2 }} {{ -0.0 }}
{{ 1/3 }} {{ 1e300 * 1e10 }} {{ -1e300 * 1e10 }} {{ 100.0 }} {{ 5e-324 }}
{{ range(3) }} {{ range(1, 7, 2) }} {{ range(0) }}
{{ d.keys() }} {{ d.values() }} {{ d.items() }}
{{ namespace(a=1, b='x') }}
{{ {1: 2, 'a': none, 1.5: [1], true: 0, none: 1} }}
{{ {(1, 2): 3} }}
{{ html }} {{ [html] }}
{{ [1, 2] | string }} {{ none | string }} {{ true | string | length }} {{ 1.50 | string }}
"""
CASES["escapes"] = r"""
{{ '\101\x41\u0041\U00000041\0\7' | list }}
{{ '\q\ \d' }}
{{ '\a\b\f\v' | list }}
{{ '\1012' }} {{ '\400' }} {{ '\777' }} {{ '\08' | list }}
{{ 'a\
b' }}
{{ 'a
b' }}
{{ '\xe9' }}{{ 'é\u00e9' }}
{{ '\x4' }}
{{ '\u12' }}
{{ '\U00110000' }}
{{ 'a' 'b' "c" }}
{{ 'it\'s' ~ "\"" }}
{{ '{{ x }}' ~ '{% y %}' ~ '}}' }}
{{ "\\" }}{{ '\\n' }}
{{ 'abc\\' ~ 'd' }}
"""
CASES["numbers"] = r"""
{{ 1_000 }} {{ 1_0.5_0 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 00 }} {{ 1e3 }} {{ 1E-2 }} {{ 0xdead_beef }}
{{ 012 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ (-2) ** 3 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 0 ** 0 }} {{ 2.0 ** 0.5 }} {{ 1 ** 100000000000 }} {{ (-1) ** 100000000001 }} {{ 0 ** 5 }}
{{ 1 / 2 }} {{ 4 / 2 }} {{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.0 // 0 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +false }} {{ true + 0.5 }} {{ true == 1 }} {{ 1 == 1.0 }} {{ '1' == 1 }}
{{ 5 - 3 - 1 }} {{ 2 + 3 ~ 4 }} {{ 2 * 3 ~ 4 }} {{ 1 ~ 2 + 3 }} {{ 1 - -1 }} {{ - - 1 }} {{ 3 * -2 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1 == 1 }} {{ 3 > 2 > 1 != 0 }} {{ 1 in [1] == true }}
{{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) < (1, 2, 0) }} {{ 'a' < 1 }}
{{ none < 1 }}
{{ {} < {} }}
{{ '42' | int }} {{ '42.7' | int }} {{ ' 42 ' | int }} {{ '1_000' | int }} {{ '+5' | int }} {{ '-5' | int }} {{ 'x' | int }} {{ 'x' | int(9) }} {{ '' | int }}
{{ '0x1A' | int(base=16) }} {{ '1A' | int(0, 16) }} {{ '0b11' | int(0, 2) }} {{ '0o17' | int(0, 8) }} {{ '0x1A' | int(0, 0) }} {{ '017' | int(5, 0) }} {{ 'z' | int(0, 36) }} {{ '12' | int(0, 2) }}
{{ '__1' | int }} {{ '1__0' | int }} {{ '1_' | int }} {{ '_1' | int }} {{ '1_0.5' | int }} {{ '- 1' | int }} {{ '--1' | int }} {{ '1e3' | int }} {{ 'inf' | int(3) }} {{ 'nan' | int(4) }}
{{ 3.9 | int }} {{ -3.9 | int }} {{ true | int }} {{ none | int }} {{ none | int(2) }} {{ [] | int(6) }} {{ missing | int(1) }}
{{ '٣' | int }} {{ '²' | int(-1) }} {{ '٣.٥' | float }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(1) }} {{ '1e5' | float }} {{ ' 2 ' | float }} {{ 'inf' | float }} {{ '-Infinity' | float }} {{ 'nan' | float }} {{ '1_0.5' | float }} {{ '0x10' | float(3.0) }} {{ 5 | float }} {{ none | float }} {{ true | float }} {{ '.5' | float }} {{ '5.' | float }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ -2.5 | round }} {{ 2.567 | round(2) }} {{ 2.675 | round(2) }} {{ 1234.5 | round(-2) }} {{ 1250 | round(-2) }} {{ 1350 | round(-2) }} {{ 42 | round }} {{ 42 | round(1) }}
{{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 2.123 | round(2, 'ceil') }} {{ 42 | round(0, 'ceil') }} {{ -2.5 | round(0, 'floor') }} {{ 2.5 | round(1, 'up') }}
{{ 2.5 | round | int }} {{ true | round }} {{ '2' | round }}
{{ -5 | abs }} {{ 5.5 | abs }} {{ (-5.5) | abs }} {{ true | abs }} {{ 'a' | abs }}
{{ 1 if 0.0 else 2 }} {{ 1 if '0' else 2 }} {{ 1 if [0] else 2 }} {{ 1 if {} else 2 }} {{ 1 if missing else 2 }} {{ not 0 }}
{{ [1, 2] | sum }} {{ [0.1, 0.2] | sum }} {{ people | sum(attribute='age') }} {{ [] | sum }} {{ [[1], [2]] | sum(start=[]) }} {{ ['a'] | sum }}
{{ [3, 1] | max }} {{ [3, 1] | min }} {{ words | max }} {{ words | min(case_sensitive=true) }} {{ [] | max }}| {{ people | max(attribute='age') }} {{ [1, 2.5, true] | max }}
{{ 1.5 // 0.5 }} {{ 6 // 4.0 }} {{ 1e300 // 1e-300 }} {{ 5 % 2.5 }} {{ -1 % 2.5 }} {{ 0.0 % 3 }} {{ -6.0 % 3 }}
"""
CASES["strings"] = r"""
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }} {{ 'a b c'.split(maxsplit=1) }} {{ 'a b c'.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abc'.split('abc') }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b  c '.rsplit(none, 1) }} {{ 'aaa'.split('aa') }} {{ 'aaa'.rsplit('aa') }} {{ 'a'.split('') }}
{{ 'a'.split(sep=',') }} {{ 'a,b'.split(sep=',', maxsplit=0) }} {{ ' a b '.split(none, 0) }} {{ ' a b '.rsplit(none, 0) }}
{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('-') }} {{ 'abc'.rpartition('-') }}
{{ 'xxaxx'.strip('x') }} {{ 'xyaxy'.lstrip('xy') }} {{ 'xyaxy'.rstrip('yx') }} {{ '  a '.strip() ~ '|' }} {{ '\u2003a\x1c'.strip() }} {{ 'a'.strip('') }} {{ 'éaé'.strip('é') }} {{ 'a'.strip(none) }}
{{ 'abcabc'.find('c') }} {{ 'abcabc'.find('c', 3) }} {{ 'abcabc'.rfind('a') }} {{ 'abc'.find('z') }} {{ uni.find('東') }} {{ 'abc'.find('') }} {{ 'abc'.rfind('') }} {{ 'abc'.find('', 5) }} {{ 'abc'.find('c', -1) }} {{ 'abcabc'.find('a', 1, 3) }} {{ 'abcabc'.rfind('a', 0, 3) }} {{ 'abc'.find('a', -9) }}
{{ 'abc'.index('c') }} {{ 'abc'.index('z') }}
{{ 'aXbX'.count('X') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'aXbX'.count('X', 2) }} {{ uni.count('') }} {{ 'aXbX'.count('X', 0, 2) }}
{{ 'abab'.replace('a', 'x') }} {{ 'abab'.replace('a', 'x', 1) }} {{ 'ab'.replace('', '-') }} {{ 'ab'.replace('', '-', 2) }} {{ 'ab'.replace('', '-', 0) }} {{ ''.replace('', '-') }} {{ 'ab'.replace('', '-', 3) }} {{ ''.replace('', 'x', 1) }} {{ 'ab'.replace('b', '') }}
{{ 'hello world'.title() }} {{ "it's a-b x1y".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'aB'.swapcase() }} {{ 'ß'.upper() }} {{ 'ẞ'.lower() }} {{ 'ß'.casefold() }} {{ 'ΑΣ'.lower() }} {{ 'ΑΣΑ Σ'.lower() }} {{ 'ǆ'.title() }} {{ 'İ'.lower() | length }}
{{ 'abc'.startswith('a') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('c', 1) }} {{ 'abc'.startswith('b', 1) }} {{ 'abc'.startswith('', 4) }} {{ 'abc'.startswith('', 3) }} {{ 'abc'.endswith('b', 0, 2) }} {{ 'abc'.endswith('') }} {{ 'abc'.startswith(()) }}
{{ 'abc'.startswith(1) }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }} {{ 'abc'.removeprefix('x') }} {{ 'abc'.removesuffix('') }}
{{ 'a'.center(5) ~ '|' }} {{ 'ab'.center(5, '*') }} {{ 'abc'.center(6, '*') }} {{ 'ab'.ljust(4, '.') }} {{ 'ab'.rjust(4, '.') }} {{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '+4'.zfill(4) }} {{ 'a'.zfill(0) }} {{ '東'.ljust(3, 'é') }}
{{ 'a'.center(5, 'xx') }}
{{ 'a\nb\r\nc\rd'.splitlines() }} {{ 'a\n'.splitlines(true) }} {{ 'a\x0bb\x0cc\x1cd\x85e\u2028f'.splitlines() }} {{ ''.splitlines() }} {{ '\n\n'.splitlines() }} {{ 'a\n\nb'.splitlines(keepends=true) }}
{{ ','.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ''.join([]) }} {{ ', '.join(d) }} {{ ','.join([1]) }}
{{ '²'.isdigit() }} {{ '²'.isdecimal() }} {{ '²'.isnumeric() }} {{ '½'.isdigit() }} {{ '½'.isnumeric() }} {{ '٣'.isdecimal() }} {{ '①'.isdigit() }} {{ '一'.isnumeric() }} {{ '一'.isdigit() }} {{ 'Ⅷ'.isnumeric() }} {{ ''.isdigit() }} {{ '12a'.isdigit() }} {{ '1.5'.isdigit() }}
{{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ '²a'.isalnum() }} {{ ' \t'.isspace() }} {{ ''.isspace() }} {{ 'ABC'.isupper() }} {{ 'abc1'.islower() }} {{ '123'.isupper() }} {{ 'Ab Cd'.istitle() }} {{ 'ab'.istitle() }} {{ 'aB'.islower() }} {{ 'ǅ'.isupper() }} {{ 'a東'.islower() }} {{ 'abc'.isascii() }} {{ uni.isascii() }} {{ 'a\n'.isprintable() }} {{ 'a b'.isprintable() }}
{{ s[0] }}{{ s[-1] }}{{ s[99] }}|{{ s[1:4] }}|{{ s[::-1] }}|{{ s[::2] }}|{{ s[-3:] }}|{{ s[:-3] }}|{{ s[5:2] }}|{{ uni[1:3] }}|{{ s[4:1:-1] }}|{{ s[-99:99] }}|{{ uni[::-1] }}
{{ s[0:5:0] }}
{{ s['a'] }}|{{ s.nope }}|{{ s.upper }}
{{ 'a' in 'abc' }} {{ '' in 'abc' }} {{ 'z' not in 'abc' }} {{ 1 in 'abc' }}
{{ 'a' * 3 }} {{ 3 * 'a' }} {{ 'a' * 0 }} {{ 'a' * -1 }} {{ 'a' * true }} {{ 'a' * 1.5 }}
{{ 'a' + 'b' }} {{ 'a' + 1 }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1] ~ missing }}
{{ 'a' - 'b' }}
{{ uni | length }} {{ uni | list }} {{ uni | reverse }} {{ uni | first }} {{ uni | last }} {{ uni | upper }}
{{ 'a\tb'.expandtabs(4) }} {{ 'a\tb\n\tc'.expandtabs() }}
{{ 'abc'.upper(1) }}
{{ 'a'.strip(1) }}
{{ 'a'.ljust() }}
{{ 'ab'.join }}
{{ 'x'.foo() }}
"""
CASES["text filters"] = r"""
{{ 'hello world-foo (bar) [baz]' | title }} {{ "it's" | title }} {{ 'FOO bar' | capitalize }} {{ 12 | upper }} {{ none | lower }} {{ ['A'] | lower }} {{ 'a_b.c' | title }} {{ 'x\ny' | title }}
{{ '  a ' | trim ~ '|' }} {{ 'xax' | trim('x') }} {{ 5 | trim }} {{ 'a' | trim(none) }} {{ none | trim }}
{{ 'aXbX' | replace('X', '-') }} {{ 'aXbX' | replace('X', '-', 1) }} {{ 5 | replace(5, 6) }} {{ 'ab' | replace('', '.') }} {{ 'aa' | replace('a', 'b', 0) }} {{ 'aa' | replace('a', 'b', count=none) }} {{ 'a' | replace('a') }}
{{ text | indent }}|{{ text | indent(2) }}|{{ text | indent(2, true) }}|{{ text | indent(2, blank=true) }}|{{ text | indent('> ') }}|{{ text | indent('> ', true, true) }}|{{ '' | indent }}|{{ '' | indent(2, true) }}|{{ 'a' | indent(first=true) }}|{{ 'a\r\nb' | indent(1) }}|{{ 'a\n' | indent(1) }}|{{ text | indent(0) }}|{{ text | indent(-1) }}
{{ 5 | indent }}
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(9, false, '') }} {{ 'foobarbaz' | truncate(5, leeway=0) }} {{ 'foo bar' | truncate(5, end='…', leeway=0) }} {{ 'foo bar baz' | truncate(3, leeway=0) }} {{ uni * 5 | truncate(4, true, '', 0) }} {{ 'a b' | truncate }}
{{ 'foo bar baz' | truncate(2) }}
{{ 'a' | center(5) ~ '|' }} {{ 'ab' | center(5) ~ '|' }} {{ 5 | center(3) }} {{ 'a' | center | length }} {{ 'abc' | center(2) }}
{{ 'a b  c-d' | wordcount }} {{ '' | wordcount }} {{ 'é東 x_y' | wordcount }} {{ "it's" | wordcount }}
{{ '%s-%s' | format('a', 1) }} {{ '%(a)s' | format(a=2) }} {{ '%d%%' | format(5) }} {{ '%s' | format }} {{ '%.2f' | format(1.005) }} {{ '%5s|%-5s|' | format('a', 'b') }}
{{ '%s' | format(1, a=2) }}
{{ '%s %s' | format('a') }}
{{ html | e }} {{ html | escape }} {{ html | e | e }} {{ html | forceescape }} {{ html | e | forceescape }} {{ 5 | e }} {{ none | e }} {{ missing | e }} {{ ['<'] | e }}
{{ 'a b/ü?&=+~-_.' | urlencode }} {{ {'a b': 1, 'c': '/&'} | urlencode }} {{ [('a', 'b c'), ('d', 2)] | urlencode }} {{ 5 | urlencode }} {{ none | urlencode }} {{ {} | urlencode }}
{{ ['a'] | urlencode }}
{{ 'abc' | string | upper }} {{ 1 | string ~ 2 }}
{{ 'x' | nope }}
{{ 'x' | upper(1) }}
{{ text | upper | replace('\n', ' ') | trim | length }}
{{ -1 | abs ~ 'a' | upper }}
{{ 'a' ~ 'b' | upper }}
{{ ('a' ~ 'b') | upper }}
{{ -5 | abs }} {{ - 5 | string | length }}
"""
CASES["markup"] = r"""
{{ '<a>' | safe }} {{ ['<a>' | safe] }} {{ '<a>' | safe ~ '<b>' }} {{ ['x' ~ ('<a>' | safe)] }}
{{ ('<a>' | safe) + '<b>' }} {{ '<b>' + ('<a>' | safe) }} {{ ('<a>' | safe) + ('<b>' | safe) }} {{ ('<a>' | safe) + 1 }}
{{ ('<a>' | safe) * 2 }} {{ [2 * ('<a>' | safe)] }}
{{ ('<%s>' | safe) % '<x>' }} {{ ('<%s %s>' | safe) % ('<x>', '<y>' | safe) }} {{ ('%(a)s' | safe) % {'a': '<'} }} {{ ('%d %r' | safe) % (5, '<') }} {{ ('%s' | safe) | format('<') }} {{ ('%.1f' | safe) % 1.25 }} {{ ('%s' | safe) % [1, '<'] }}
{{ ('{}{}' | safe).format('<', '>' | safe) }} {{ ('{a!r}' | safe).format(a='<') }} {{ ('{:>4}' | safe).format('<') }} {{ ('{:5}' | safe).format('<' | safe) }}
{{ ('{}' | safe).format('<b>' | safe) }} {{ '{}'.format('<b>' | safe) }} {{ '%s' % ('<b>' | safe) }} {{ '{:>5}'.format('<b>' | safe) }}
{{ (('<a>' | safe).upper()) + '<' }} {{ ('<a>' | safe | upper) + '<' }} {{ ('<a>' | safe | lower) + '<' }} {{ ('<a>' | safe | trim) + '<' }} {{ ('<a>' | safe | title) + '<' }} {{ ('<a>' | safe | capitalize) + '<' }} {{ ('<a>' | safe | string) + '<' }} {{ ('<a>' | safe | center(5)) + '<' }} {{ ('<a>' | safe | reverse) + '<' }} {{ ('<a>' | safe | first) + '<' }} {{ ('<a>' | safe | last) + '<' }}
{{ ('<a>' | safe)[0] + '<' }} {{ ('<a>' | safe)[1:] + '<' }} {{ ('<a>b' | safe).split('>')[0] + '<' }} {{ ('<a b' | safe).split()[0] + '<' }} {{ ('<a>' | safe).strip('<') + '<' }} {{ ('<a>' | safe).replace('a', '<') + '<' }} {{ ('<a>' | safe | replace('a', '<')) + '<' }} {{ ('a' | safe).join(['<', '>' | safe]) + '<' }} {{ ['<' | safe, '>'] | join('&') }} {{ (['<' | safe] | join) + '<' }}
{{ ('a-b' | safe).partition('-')[0] + '<' }} {{ ('a' | safe).removeprefix('a') + '<' }} {{ ('a' | safe).center(3, '<') }} {{ ('a' | safe).zfill(3) + '<' }} {{ ('a\nb' | safe).splitlines()[0] + '<' }} {{ ('a' | safe).capitalize() + '<' }} {{ ('a' | safe).title() + '<' }} {{ ('a' | safe).swapcase() + '<' }} {{ ('a' | safe).casefold() + '<' }}
{{ html | e == html }} {{ ('a' | safe) == 'a' }} {{ {'a': 1}['a' | safe] }} {{ 'a' in ['a' | safe] }} {{ ('a' | safe) in 'abc' }}
{{ '<' | safe | e }} {{ '<' | safe | forceescape }} {{ '<' | e | safe }} {{ '<' | e | length }} {{ [('<' | e)] }} {{ [('<' | forceescape)] }}
{{ ('a\n<b>' | safe | indent(2)) + '<' }} {{ ('a\n<b>' | safe | indent('<')) }} {{ ('<a> b c d e f' | safe | truncate(5, end='<', leeway=0)) }}
{{ '<' | safe is string }} {{ '<' | safe is escaped }} {{ '<' is escaped }} {{ '<' | e is escaped }} {{ missing is escaped }}
{{ 'a' | safe | tojson }} {{ {'k': '<' | safe} | tojson }} {{ ('"' | e) | tojson }}
{{ none | safe }} {{ 5 | safe }} {{ [(5 | safe)] }} {{ [1] | safe }} {{ (5 | safe) + '<' }}
{% set x %}<a>{% endset %}{{ x + '<' }} {{ [x] }}
{% set x | safe %}<a>{% endset %}{{ x + '<' }} {{ [x] }}
{% set x | e %}<a>{% endset %}{{ x + '<' }}
{% macro m() %}<a>{% endmacro %}{{ m() + '<' }}{{ [m()] }}
{% filter e %}<a>{{ '"' }}{% endfilter %}
{% set ns = namespace(t='') %}{% set ns.t = ns.t + ('<' | safe) + '"' %}{{ ns.t }}
{{ '[' + messages[2].tool_calls[0].function.arguments | tojson | safe + ', "x"]' }}
{{ '{"name": "' + messages[2].tool_calls[0].function.name + '", "arguments": ' + messages[2].tool_calls[0].function.arguments|tojson|safe + ', "id": "' + messages[2].tool_calls[0].id + '"}' }}
{{ (html | safe | list)[0] + '<' }} {{ ('<' | safe | replace('x', 'y')) + '"' }} {{ ('a' | safe | default('<')) + '<' }} {{ ('ab' | safe | batch(1) | first)[0] + '<' }}
{{ ('%41' | safe | urlencode) }}
{{ ('a' | safe) ~ '<' ~ 1 }} {{ [('a' | safe) ~ '<'] }} {{ ('x' | safe if true else '') + '&' }} {{ (('a' | safe) or 'b') + '&' }}
"""
CASES["json"] = r"""
{{ d | tojson }} {{ l | tojson }} {{ s | tojson }} {{ nothing | tojson }} {{ yes | tojson }} {{ f | tojson }} {{ 1e20 | tojson }} {{ 'é<>&\'"\\/\n\x01\x7f\u2028' | tojson }}
{{ 'é\U0001f600\x7f' | tojson(ensure_ascii=true) }} {{ 'é' | tojson(true) }}
{{ d | tojson(indent=2) }} {{ nested | tojson(indent=1) }} {{ [] | tojson(indent=2) }} {{ {} | tojson(indent=2) }} {{ {'a': []} | tojson(indent=2) }} {{ {'a': [{}]} | tojson(indent='--') }} {{ [1] | tojson(indent=0) }} {{ [1] | tojson(indent=true) }} {{ [[1]] | tojson(indent=-1) }}
{{ d | tojson(separators=(',', ':')) }} {{ d | tojson(indent=1, separators=(', ', ' = ')) }} {{ d | tojson(sort_keys=true) }} {{ [1, 2] | tojson(separators=['; ', '']) }}
{{ {1: 'a', 1.5: 'b', true: 'c', none: 'd', 'e': 5} | tojson }}
{{ (1, (2,)) | tojson }} {{ tools | tojson }} {{ tools | tojson(indent=4) }} {{ messages[2] | tojson }}
{{ missing | tojson }}
{{ range(3) | tojson }}
{{ d.keys() | tojson }}
{{ namespace(a=1) | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ 1e400 | tojson }} {{ -1e400 | tojson }}
{{ d.items() | list | tojson }} {{ d | dictsort | tojson }} {{ 1.0 | tojson }} {{ 1e-7 | tojson }} {{ -0.0 | tojson }}
{{ {'b': 1, 1: 2} | tojson(sort_keys=true) }}
{{ d | tojson(2) }}
{{ d | tojson(bad=1) }}
{{ '' | tojson }} {{ 'a' | tojson | tojson }}
"""
CASES["lists"] = r"""
{{ l | sort }} {{ l | sort(true) }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ people | sort(attribute='age') | map(attribute='name') | list }} {{ people | sort(attribute='age,name') | map(attribute='name') | list }} {{ people | sort(attribute='name', reverse=true) | map(attribute='name') | list }} {{ 'bca' | sort }} {{ d | sort }} {{ (3, 1) | sort }}
{{ [1, 'a'] | sort }}
{{ [none, 1] | sort }}
{{ people | sort(attribute='city') }}
{{ rows | sort(attribute='1', reverse=true) }} {{ rows | sort(attribute=1) }} {{ rows | map(attribute='0') | list }} {{ rows | map(attribute=1) | list }} {{ people | map(attribute='city', default='?') | list }} {{ people | map(attribute='city.0', default='?') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}
{{ rows.0.1 }} {{ rows.0 }} {{ rows.1.0 + rows.0.1 }} {{ deep.x.y.0 }} {{ deep.x.y.1.z }} {{ rows.5 }}|
{{ rows[0][1] }} {{ rows[0, 1] }}|
{{ d.0 }}|{{ deep.1 }}|{{ deep['1'] }}|{{ deep.items }}|{{ deep['items'] }}
{{ words | unique | list }} {{ words | unique(true) | list }} {{ [1, 1.0, true, 2] | unique | list }} {{ people | unique(attribute='age') | map(attribute='name') | list }} {{ [[1], [1]] | unique | list }}
{{ l | first }} {{ l | last }} {{ [] | first }}|{{ [] | last }}|{{ 'ab' | last }} {{ d | first }} {{ d | last }} {{ (1, 2) | last }} {{ range(5) | last }} {{ d.keys() | first }}
{{ none | first }}
{{ l | length }} {{ d | count }} {{ 'é' | length }} {{ missing | length }} {{ range(7) | length }} {{ d.items() | length }} {{ () | length }}
{{ 5 | length }}
{{ none | length }}
{{ [1, 2, 3] | join(', ') }} {{ 'abc' | join('-') }} {{ people | join(',', attribute='name') }} {{ [1, none, true, missing] | join('|') }} {{ d | join }} {{ [] | join(',') }} {{ l | join(1) }}
{{ 5 | join }}
{{ [1, 2, 3] | reverse | list }} {{ (1, 2) | reverse | list }} {{ 'ab' | reverse }} {{ d | reverse | list }} {{ range(3) | reverse | list }} {{ 5 | reverse }}
{{ d | list }} {{ 'ab' | list }} {{ range(3) | list }} {{ d.values() | list }} {{ missing | list }} {{ (1, 2) | list }} {{ 5 | list }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ [] | batch(2) | list }} {{ [1, 2] | batch(2, 'x') | list }} {{ 'abc' | batch(2) | list }} {{ [1, 2, 3] | batch(9, 0) | map('length') | list }}
{{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 2, 3] | slice(2, 0) | list }} {{ [] | slice(2) | list }} {{ [1] | slice(3, 'x') | list }} {{ [1, 2] | slice(1) | list }}
{{ [1] | slice(0) | list }}
{{ people | groupby('age') }} {{ people | groupby('city', default='?') | list }} {% for c, p in people | groupby('city', default='none') %}{{ c }}:{{ p | map(attribute='name') | join(',') }};{% endfor %}
{% for g in people | groupby('age') %}{{ g.grouper }}={{ g.list | length }}/{{ g[0] }}/{{ g }} {% endfor %}
{{ people | groupby('city') }}
{% for k, g in ['B', 'a', 'b'] | map('string') | groupby(0) %}{{ k }}{{ g }}{% endfor %}
{{ people[::2] | groupby('city', case_sensitive=true) | map('first') | list }} {{ people[::2] | groupby('city') | map('first') | list }} {{ words | groupby(0) | map('last') | list }}
{{ d | dictsort }} {{ d | dictsort(by='value') }} {{ d | dictsort(reverse=true) }} {{ {'B': 1, 'a': 2} | dictsort }} {{ {'B': 1, 'a': 2} | dictsort(true) }} {{ {'a': 'Z', 'b': 'y'} | dictsort(false, 'value') }}
{{ d | dictsort(by='x') }}
{{ [1] | dictsort }}
{{ d | items | list }} {{ missing | items | list }} {{ [1] | items | list }}
{{ messages | selectattr('role', 'equalto', 'user') | list }} {{ messages | rejectattr('content') | map(attribute='role') | list }} {{ messages | selectattr('tool_calls', 'defined') | map(attribute='role') | list }} {{ l | select('odd') | list }} {{ l | reject('gt', 1) | list }} {{ [0, 1, '', none, 'a'] | select | list }} {{ [0, 1] | reject | list }} {{ messages | selectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list }} {{ people | selectattr('age', '>', 26) | map(attribute='name') | join(' ') }} {{ rows | selectattr(0, 'eq', 3) | list }} {{ messages | selectattr('tool_calls.0.id', 'eq', '1') | list | length }}
{{ l | select('nope') | list }}
{{ l | map('nope') | list }}
{{ l | map('string') | list }} {{ words | map('upper') | join }} {{ words | map('replace', 'a', 'x') | list }} {{ none | map('upper') | list }} {{ l | map('round', precision=1) | list }} {{ ['1', 'x'] | map('int', default=9) | list }} {{ ['a'] | map('default', 'b') | list }}
{{ l | map() | list }}
{{ l[0] }} {{ l[-1] }} {{ l[9] }}| {{ l['a'] }}| {{ l[1.0] }}| {{ l[true] }} {{ l[none] }}|
{{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[5:] }} {{ l[::2] }} {{ (1, 2, 3)[1:] }} {{ range(10)[2:5] }} {{ range(10)[-1] }} {{ range(10)[::-3] | list }} {{ l[none:2] }}
{{ l['a':] }}
{{ n[1:] }}
{{ d[:2] }}
{{ (l | map('string'))[1:] }}
{{ 'ab' | sum(start='') }}
{{ [] | sum(start='') }}
{{ l | truncate(4) }} {{ d | truncate(5) }} {{ missing | truncate(5) }}|
{{ n | truncate(4) }}
{{ l | truncate(1, true, '', 0) }}
{{ none_yet[0] }}|{{ none_yet[0].x }}
{{ l + [4] }} {{ (1,) + (2,) }} {{ l * 2 }} {{ [[]] * 2 }} {{ 2 * (1, 2) }} {{ [1] == [1.0] }} {{ (1,) == [1] }} {{ [1, [2]] == [1, [2]] }} {{ range(2) == [0, 1] }} {{ range(2) == range(0, 2) }} {{ d.keys() == ['b', 'a'] }}
{{ l + (4,) }}
{{ range(2) + [1] }}
{{ 1 in l }} {{ 9 not in l }} {{ [1] in [[1]] }} {{ 'a' in d }} {{ 1 in range(3) }} {{ 'b' in d.keys() }} {{ 2 in d.values() }} {{ ('a', 1) in d.items() }} {{ none in [none] }} {{ true in [1] }} {{ 1 in missing }}
{{ 1 in 5 }}
{{ 1 in none }}
{{ l.count(1) }} {{ l.index(2) }} {{ l.index(9) }}
{{ l.index(1, 1) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }}
{{ l.append(1) }}
{{ l.pop() }}
{{ l.append is defined }} {{ l.nope is defined }} {{ d.update is defined }} {{ d.pop is defined }}
{{ l.copy() }} {{ d.copy() }} {{ l.sort() }}
{{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 5) }} {{ d.a }} {{ d['b'] }} {{ d.z }}| {{ d.z is defined }} {{ d['z'] | default('q') }} {{ d.keys }}
{{ d.get(key='a') }}
{{ d.get() }}
{% for k in d %}{{ k }}{% endfor %} {% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %} {% for k, v in d | dictsort %}{{ k }}{{ v }}{% endfor %} {% for v in d.values() %}{{ v }}{% endfor %}
{{ d == {'a': 1, 'b': 2} }} {{ {'a': 1} != {'a': 2} }} {{ {} == [] }} {{ {1: 2}[1.0] }} {{ {true: 'x'}[1] }} {{ {'a': 1, 'a': 2} }} {{ {1: 'a', true: 'b'} }}
{{ {[1]: 2} }}
{{ {{}: 2} }}
{{ d[[1]] }}|
{{ dict(a=1, b=2) }} {{ dict([('a', 1)]) }} {{ dict(d, c=3) }} {{ dict() }} {{ dict([['a', 1]], a=5) }} {{ dict(d.items()) }}
{{ dict(5) }}
{{ dict(1, 2) }}
{{ 'a' if missing is defined else 'b' }} {{ missing.x is defined }}
{{ (missing | default({})).x is defined }} {{ missing | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ none | d('x') }} {{ none | d('x', boolean=true) }} {{ missing | d }}| {{ missing | default }}|
{{ l | attr('append') is defined }} {{ d | attr('a') }}| {{ 'x' | attr('upper') is callable }} {{ n | attr('nope') }}|
{{ people | map(attribute='age') | sum }} {{ people | map(attribute='age') | max }} {{ people | map(attribute='nope') | list }} {{ [1, [2]] | map(attribute='0') | list }}
"""
CASES["generators"] = r"""
{{ 'yes' if l | select('gt', 9) else 'no' }} {{ 'yes' if [] | map('upper') else 'no' }} {{ 'yes' if (l | select('gt', 9) | list) else 'no' }} {{ 'yes' if [] | unique else 'no' }} {{ 'yes' if [] | batch(2) else 'no' }} {{ 'yes' if [] | reverse else 'no' }} {{ 'yes' if '' | reverse else 'no' }} {{ 'yes' if [] | sort else 'no' }} {{ 'yes' if {} | items else 'no' }}
{{ l | select('odd') | length }}
{{ (l | map('string'))[0] }}|
{% set x = l | map('string') %}{{ x | join(',') }}|{{ x | join(',') }}
{% set x = l | select('odd') %}{% for i in x %}{{ i }}{% endfor %}|{% for i in x %}{{ i }}{% endfor %}
{% set x = [1, 2, 3] | map('int') %}{{ x | first }}{{ x | list }}
{% set x = [1, 2, 3] | map('int') %}{{ 2 in x }}{{ x | list }}
{% set x = [1, 2, 3] | reverse %}{{ x | first }}{{ x | list }}{{ x | list }}
{{ l | map('string') is iterable }} {{ l | map('string') is sequence }} {{ l | map('string') is string }} {{ range(3) is sequence }} {{ d.keys() is sequence }} {{ d.keys() is iterable }} {{ d.items() is mapping }}
{% for x in l | map('string') %}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}
{{ (l | map('string')) == ['3', '1', '2'] }} {{ (l | map('string') | list) == ['3', '1', '2'] }}
{{ d.keys()[0] }}|
{{ d.values() | list | first }} {{ d.items() | first }} {{ (d.keys() | list)[0] }} {{ d.keys() | length }} {{ 'y' if {}.keys() else 'n' }} {{ 'y' if range(0) else 'n' }}
{{ l | map('string') | tojson }}
{{ (l | map('string')) + [1] }}
{{ l | reverse | length }}
{{ l | last }} {{ d.keys() | last }} {{ l | map('string') | last }}
{{ l | groupby(0) is defined }}
{{ [l | map('string') | join, l | reverse | join] }} {{ people | map(attribute='name') | sort | join(' ') }} {{ [1, 2] | map('float') | sum }} {{ [[1, 2], [3]] | map('sum') | list }} {{ [3, 1] | reverse | min }}
"""
CASES["tests"] = r"""
{{ 1 is number }} {{ true is number }} {{ 1.5 is number }} {{ '1' is number }} {{ true is integer }} {{ 1 is integer }} {{ 1.0 is float }} {{ 1 is float }} {{ true is boolean }} {{ 1 is boolean }} {{ 1 is true }} {{ true is true }} {{ false is false }} {{ 0 is false }}
{{ none is none }} {{ missing is none }} {{ missing is undefined }} {{ missing is defined }} {{ d.x is undefined }} {{ s is string }} {{ l is string }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ none is sequence }} {{ missing is sequence }} {{ 5 is iterable }} {{ missing is iterable }} {{ none is iterable }} {{ d is iterable }} {{ namespace() is mapping }} {{ namespace() is iterable }}
{{ range is callable }} {{ s.upper is callable }} {{ s is callable }} {{ missing is callable }} {{ namespace is callable }} {% macro m() %}{% endmacro %}{{ m is callable }}
{{ 3 is odd }} {{ 4 is even }} {{ -3 is odd }} {{ 6 is divisibleby 3 }} {{ 7 is divisibleby(2) }} {{ 2.0 is even }} {{ 'a' is lower }} {{ 'A1' is upper }} {{ '1' is lower }} {{ 5 is upper }}
{{ 'a' is odd }}
{{ 5 is divisibleby 0 }}
{{ 1 is eq 1 }} {{ 1 is equalto 1 }} {{ 1 is == 1 }} {{ 1 is sameas 1 }} {{ true is sameas 1 }} {{ none is sameas none }} {{ d is sameas d }} {{ [] is sameas [] }} {{ 1 is in [1, 2] }} {{ 'a' is in 'abc' }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 2 is ge 2 }} {{ 1 is lt 2 }} {{ 1 is lessthan 2 }} {{ 3 is greaterthan 2 }} {{ 1 is le 0 }}
{{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ 'nope' is test }} {{ 5 is filter }}
{{ 1 is not none }} {{ not 1 is none }} {{ 1 is not odd }} {{ 1 is odd and 2 is even }} {{ 1 is odd if 2 is even else 3 }} {{ x is defined or true }} {{ s is string and s | length > 3 }} {{ 4 is divisibleby 2 == true }}
{{ 1 is odd is even }}
{{ 1 is nope }}
{{ 3 is odd + 1 }}
{{ 'a' is in ['a'] }} {{ messages[0].role is eq 'system' }} {{ messages[0].role is eq('system') }} {{ l[0] is eq l[0] }} {{ 2 is divisibleby l[2] }}
{{ missing == missing2 }} {{ missing == none }} {{ missing == '' }} {{ missing != 1 }} {{ missing in [1] }}
{{ missing + 1 }}
{{ missing.x }}
{{ missing[0] }}
{{ missing() }}
{{ missing < 1 }}
{{ -missing }}
{{ missing ~ 'a' }} {{ missing or 'b' }} {{ missing and 'b' }}| {{ not missing }} {{ [missing] }} {{ missing | upper }}| {{ missing | trim }}| {{ missing | int }} {{ missing * 2 }}
"""
CASES["statements"] = r"""
{% if 1 %}a{% elif 2 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 2 %}b{% else %}c{% endif %}{% if 0 %}{% else %}c{% endif %}
{% for x in l %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}
{% for x in l if x > 1 %}{{ x }}/{{ loop.index }}/{{ loop.length }} {% else %}none{% endfor %}{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in [] %}a{% else %}b{% endfor %} {% for x in missing %}a{% else %}b{% endfor %} {% for c in 'aé' %}[{{ c }}]{% endfor %}
{% for x in none %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for a, b in rows %}{{ a }}-{{ b }} {% endfor %} {% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %} {% for (a, b) in rows %}{{ a }}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{% endfor %}
{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %} {% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %} {% for x in l %}{% for y in l %}{% if y == x %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{% else %}never{% endfor %}
{% break %}
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{% endfor %}{{ x }} {% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }} {% with %}{% set x = 3 %}{% endwith %}{{ x }}
{% for i in [1, 2] %}{{ x is defined }}{% set x = i %}{{ x }}{% endfor %}{{ x is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set a = 1, 2 %}{{ a }} {% set (a, b) = [3, 4] %}{{ a }}{{ b }} {% set a, = [5] %}{{ a }}
{% set a, b = [1] %}
{% set x.y = 1 %}
{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns['a'] }}
{% set ns = namespace(d, z=1) %}{{ ns.a }}{{ ns.z }} {% set ns = namespace([('k', 2)]) %}{{ ns.k }} {% set ns.k, y = 8, 9 %}{{ ns.k }}{{ y }}
{% set ns = namespace(l=[]) %}{% for i in range(3) %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }} {{ ns.l | length }}
{% set x %}a{{ 1 }}b{% endset %}{{ x }}{{ x | length }} {% set x | upper | trim %} q {% endset %}{{ x }}|
{% set ns = namespace() %}{% set ns.t %}blk{% endset %}{{ ns.t }}
{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} {{ f(b=1, a=0) }} {{ f() }} {{ f(1, 2, 3) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}
{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}
{% macro f(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call f(1) %}[{{ s }}]{% endcall %} {% macro g() %}{{ caller(1, 2) }}{% endmacro %}{% call(x, y=3) g() %}{{ x }}{{ y }}{% endcall %}
{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}{% call f() %}{% endcall %}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }} {{ f.name }} {{ f.arguments }} {{ f.catch_kwargs }}
{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}
{% set x = 1 %}{% macro f() %}{% set x = 5 %}{{ x }}{% endmacro %}{{ f() }}{{ x }}
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}
{% macro f(a=missing) %}{{ a is defined }}{% endmacro %}{{ f() }}{{ f(1) }}{{ f(none) }}
{% for i in [1, 2] %}{% macro g() %}{{ i }}{% endmacro %}{{ g() }}{% endfor %}
{% for x in [1, [2, [3]]] recursive %}{{ loop.depth }}:{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %} {% endfor %}
{% for x in l %}{{ loop(l) }}{% endfor %}
{% for x in l %}{% set outer = loop %}{% for y in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}| {% with a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{% endwith %}
{% filter upper %}a{{ 'b' }}{% endfilter %} {% filter replace('a', 'b') | upper %}aa{% endfilter %}
{% raw %}{{ x }} {% if %} {# c #}{% endraw %} {%- raw -%} a {%- endraw -%} b
{% generation %}x{% endgeneration %}
{% do l %}
{% include 'x' %}
{% nope %}
{% if 1 %}
{% endif %}
{% for x in l %}{% endif %}
{% else %}
{{ }}
{{ 1 2 }}
{{ 'a }}
{{ (1 }}
{{ [1, 2 }}
{{ a b }}
{% set x = %}
{% set 1 = 2 %}
{% set true = 2 %}
{% for true in l %}{% endfor %}
{% macro f(a=1, b) %}{% endmacro %}
{% for x l %}{% endfor %}
{% if %}{% endif %}
{{ 1 + }}
{{ x. }}
{{ f(a=1, 2) }}
{{ 5 ! 3 }}
{{ a; b }}
{{ $ }}
{# open
{% raw %}x
{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(-3) | list }} {{ range(3, 1) | list }} {{ range(9223372036854775800, 9223372036854775807, 5) | list }} {{ range(-9223372036854775807, -9223372036854775800, 3) | list }} {{ range(9223372036854775806, 9223372036854775807, 9223372036854775807) | list }} {{ range(0, -9, -9223372036854775807) | list }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range(1.5) }}
{{ range(100001) }}
{{ range(0, 99999999, 9999999) | list | length }}
{{ range() }}
{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %} {% set j = joiner(' | ') %}{{ j() }}{{ j() }}{{ j() }} {% set j = joiner(sep='-') %}{{ j() }}{{ j() }}
{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% set _ = c.reset() %}{{ c.next() }}{{ c.current }}
{{ cycler() }}
{{ raise_exception('no') }}
{{ raise_exception }}
{{ strftime_now('%Y-%m-%d %H:%M:%S.%f') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%%f %f%f') }} {{ strftime_now('%-d/%-m %A %B %j %y %I%p') }} {{ strftime_now('') }}| {{ strftime_now('%z|%Z|%s' | replace('%s', '')) }} {{ strftime_now('é %Y 東') }} {{ strftime_now('plain') }}
{{ strftime_now(5) }}
{{ 1 if true }} {{ 1 if false }}| {{ 1 if false else 2 if false else 3 }} {{ (1 if false) is defined }} {{ (1, 2) if true else 3 }}
{{ not true }} {{ not not 1 }} {{ not 1 == 2 }} {{ true and not false }} {{ 0 or none }} {{ 1 and 2 }} {{ 0 and 2 }} {{ '' or 'a' or 'b' }} {{ true or 1 / 0 }}
{{ l | length > 2 and s | length < 99 }} {{ l | first + 1 }} {{ 'a' if l else 'b' }} {{ -l[0] }} {{ -l | first }}
{{ [1, 2,] }} {{ {'a': 1,} }} {{ (1, 2,) }} {{ f2(1,) if false }} {{ [1, [2, {'a': (3,)}]] }}
{{ f(*[1, 2]) }}
{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }} {{ f(1, *[2]) }} {{ f(**{'a': 1, 'b': 2}) }} {{ f(1, **{'b': 3}) }} {{ f(*(1,), **{'b': 4}) }}
{{ 'a'.upper ()}} {{ 'a' . upper() }} {{ l [0] }} {{ 'a'|upper|lower }} {{ ('a')|upper }} {{ 'a'.upper().lower() }}
{{ True }} {{ False }} {{ None }} {{ TRUE }}|
{{ d.items()|list|length }} {{ s.split(', ')[1].upper()[0:2] }} {{ messages[-1]['content'] }} {{ messages[0]['role'] ~ ': ' ~ messages[0]['content'] }} {{ messages[2].tool_calls[0].function.arguments.q }}
{{ loop }}|{{ loop is defined }}
{% for x in l %}{{ x }}{% endfor %}{{ x }}|
{% set l2 = [] %}{% for x in l %}{% set l2 = l2 + [x] %}{% endfor %}{{ l2 }}
{% set d2 = {'a': 1} %}{% set d2 = dict(d2, b=2) %}{{ d2 }}
{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.content is none %}-{% else %}[{{ m['content'] | trim }}]{% endif %}{% endfor %}
{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}x{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') + '<|im_end|>' + '\n' }}{% endfor %}
{%- for t in tools %}{{ t.function.name }}({% for k, v in t.function.parameters.properties.items() %}{{ k }}: {{ v.type if v.type is string else v.type | join('|') }}{{ '' if loop.last else ', ' }}{% endfor %}){% endfor %}
{% set ns = namespace(found=false) %}{% for m in messages[::-1] %}{% if not ns.found and m.role == 'user' %}{% set ns.found = true %}{{ loop.index0 }}{% endif %}{% endfor %}
{{ messages | map(attribute='content') | select('string') | join('|') }}
{% call(x) 5 %}{% endcall %}
{% call range(3) %}{% endcall %}
{% if l is defined and l %}y{% endif %}{% if (l | length) == 3 %}3{% endif %}{% if l|length == 3 %}3{% endif %}
{{ caller }}|{{ varargs }}
"""
CASES["white space"] = [
    "a\n{% if true %}\nb\n{% endif %}\nc", "a\n  {% if true %}\n  b\n  {% endif %}\n  c", "a {%- if true -%} b {%- endif -%} c",
    "  {{ 1 }}\n", "x\n  {#- note -#}  \ny", "{# note #}\nz", "  {# note #}\nz", "a\n  {%+ if true %}b{% endif +%}\nc",
    "a\n\n{%- if true %}\n\nb{% endif %}", "{{- 1 -}}  \n b", "a  {{- 1 }}", "{% if true -%}\n\n a{% endif %}", "a\r\nb\rc\n", "a\n\n",
    "a\n", "\n", "", "  ", "{% set x = 1 %}\n\n{{ x }}", "{{ 1 }}\n{{ 2 }}\n", "  {% set x = 1 %}  \n{{ x }}", "a  {% if true %}  b{% endif %}",
    "\t{% if true %}\ta\n\t{% endif %}b", "a{% raw %}\n  x {{ y }}\n{% endraw %}\nb", "  {% raw %}a{% endraw %}", "a {%- raw %} b {% endraw -%} c",
    "{%- set a = 1 -%}\n{{- a -}}\n\n", "{%if true%}x{%endif%}", "{{1}}{{'a'}}", "{{ '{%' }}{{ '%}' }}", "a {{ '\n' }} b", "{#-#}x", "{#+ a +#}\nb", "a\n {#+ a #}b",
    "{{+ 1 }}", "{{ 1 +}}", "x {%+ set y = 1 %}\nz", "x\n   {%- set y = 1 +%}\nz", "\u00a0{% if true %}a{% endif %}", "\u2003 {%- if true -%} \u2003a{% endif %}",
    "a\x0c{% if true %}b{% endif %}", "\x0c{% if true %}b{% endif %}", "{% if true %} \nb{% endif %}", "{ { } } {x} {%", "{ % if % }", "a{", "{", "}}", "%}", "#}", "{{ {'a': {'b': 1}} }}", "{{ {'a': 1}}}",
    "{% for x in [1, 2] %}\n- {{ x }}\n{% endfor %}\nend", "{% for x in [1, 2] -%}\n- {{ x }}\n{%- endfor %}\nend", "{%- for x in [1, 2] %}\n    {{- x }}\n{%- endfor %}\nend",
    "line\n\t  {%- if false %}\n{% else %}\n  x\n  {%- endif %}\n", "{# a {# b #} c #}", "{# {{ 1 }} #}{{ 2 }}", "{{ 1 }}{# x", "{{ 'a' }}{%- raw -%}  {{ }}  {%- endraw -%}  b",
    "{% set x %}\n a\n{% endset %}[{{ x }}]", "{% macro f() %}\n a\n{% endmacro %}[{{ f() }}]", "{% macro f() -%}\n a\n{%- endmacro %}[{{ f() }}]", "{{ '''a''' }}", "{{ \"a\nb\" }}", "é{% if true %}\né{% endif %}",
    "{{ é }}", "{% set é = 1 %}{{ é }}", "{% set 東京 = 1 %}{{ 東京 }}", "{{ a\u00b2 }}", "{{ 1\u00a0}}", "{{\u20031 }}", "{{ a·b }}", "{{ “a” }}", "{{ 1 }} {{ 2 }} \n\n\n", "{%\nif\ntrue\n%}x{%\nendif\n%}", "{{\n1\n+\n2\n}}",
    "{% if true %}{% endif %}\n\n\nx", "a\n{% if true %}{% endif %}\nb", "a\n{% if true %}x{% endif %}\nb", "{% raw %}\na{% endraw %}", "{% raw %}{% raw %}{% endraw %}", "{%raw%}x{%endraw%}", "{%- raw +%}x{% endraw %}",
    "{{ rows.0.1 }}{{ rows.0 .1 }}{{ rows .0.1 }}", "{{ rows.0.1e1 }}", "{{ 1..real }}", "{{ [1,2].0 }}", "{{ 1.e3 }}", "{{ .5 }}", "{{ rows.0_0 }}", "{{ 0x }}", "{{ 1__0 }}", "{{ 1_ }}", "{{ 1a }}", "{{ 0b2 }}", "{{ 1e }}", "{{ 1e5x }}",
]
CASES["formats"] = r"""
{{ '%05d|%-5s|%5.2f|%x|%X|%o|%+d|% d|%r|%%|%c|%e|%g|%i|%u' % (42, 'ab', 1.239, 255, 255, 8, 7, 7, 'q', 'z', 12345.678, 0.0001, 3, 4) }}
{{ '%s' % 1 }} {{ '%s' % none }} {{ '%s' % [1, 2] }} {{ '%s %s' % (1, 2) }} {{ '%(a)s %(b)05.1f' % {'a': 1, 'b': 2} }} {{ '%5s|%-5s|%.2s' % ('é', 'é', 'éàü') }} {{ '%#x %#o' % (255, 8) }} {{ '%05s' % 'a' }} {{ '%-05d|' % 4 }} {{ '%+.1e' % 12345 }} {{ '%*d' % (5, 42) }} {{ '%.*f' % (2, 1.5) }}
{{ '%d' % 1.9 }} {{ '%d' % true }} {{ '%x' % 255 }} {{ '%.3d' % 5 }} {{ '%5d|%-5d|%05d' % (-3, -3, -3) }} {{ '%f' % 1 }} {{ '%g %g %g' % (100000, 1000000, 1e-5) }} {{ '%c' % 65 }} {{ '%a' % 'é' }} {{ '%s' % d }}
{{ '%d' % 'a' }}
{{ '%s %s' % 1 }}
{{ '%s' % (1, 2) }}
{{ 'a' % 1 }}
{{ 'a' % () }} {{ 'a' % {} }} {{ 'a%%' % () }}
{{ '%' % 1 }}
{{ '%q' % 1 }}
{{ '%(a)s' % 1 }}
{{ '%(z)s' % d }}
{{ '%x' % 1.5 }}
{{ '{} {}'.format(1, 'a') }} {{ '{0} {1} {0}'.format(1, 2) }} {{ '{a} {b}'.format(a=1, b=2) }} {{ '{{}} {}'.format(1) }} {{ '{0[1]} {a[k]} {b.x}'.format([1, 2], a={'k': 3}, b={'x': 4}) }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^5}|{:05}|{:+}|{: }|{:,}|{:_}|{:.2f}|{:.1%}|{:x}|{:#x}|{:b}|{:o}|{:e}|{:g}|{:d}|{:n}'.format(1, 2, 3, 4, 5, 6, 7, 8, 1234567, 1234567, 1.255, 0.5, 255, 255, 5, 8, 1234.5, 0.00001, 9, 10) }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:.2}|{:é^7}|{!r:>6}|{!s}|{!a}'.format('a', 'b', 'c', 'd', 'efg', 'h', 'i', 'j', 'é') }} {{ '{:>{w}}'.format('a', w=4) }} {{ '{:{}}'.format('b', 3) }} {{ '{:.{p}f}'.format(1.23456, p=2) }}
{{ '{:,.2f} {:010.3f} {:+,d} {:=+5d} {:<+5d}| {:,}'.format(1234567.891, 3.14159, 1000, 5, 5, 1234.5) }} {{ '{}'.format(1.0) }} {{ '{:}'.format(1e20) }} {{ '{:.3}'.format(3.14159) }} {{ '{:5}'.format(1.5) }}| {{ '{:.0f}'.format(2.5) }} {{ '{:g}'.format(1e20) }} {{ '{}'.format(true) }} {{ '{:d}'.format(true) }} {{ '{:5}'.format(true) }}|
{{ '{:05d} {:x} {:#b} {:08.2f} {:e}'.format(-42, -255, -5, -1.5, 0.0) }} {{ '{:c}'.format(65) }} {{ '{:s}'.format('a') }} {{ '{:%}'.format(0.123) }} {{ '{:G}'.format(1e-10) }} {{ '{:E}'.format(1.5) }} {{ '{:F}'.format(1.5) }}
{{ '{}'.format(none) }} {{ '{}'.format([1]) }} {{ '{!r}'.format('a') }} {{ '{:}'.format(none) }} {{ '{}'.format(missing) }}|
{{ '{:5}'.format(none) }}
{{ '{:5}'.format([1]) }}
{{ '{:d}'.format('a') }}
{{ '{:d}'.format(1.5) }}
{{ '{:s}'.format(1) }}
{{ '{:q}'.format(1) }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ '{} {0}'.format(1) }}
{{ '{2}'.format(1) }}
{{ '{a}'.format(1) }}
{{ '{!z}'.format(1) }}
{{ '{:,x}'.format(1) }}
{{ '{:.2d}'.format(1) }}
{{ '{0.__class__}'.format(1) }}
{{ '{:>5,}|{:<8,}|{:^9,}'.format(1234, 1234, 1234) }} {{ '{:08,}'.format(1234) }} {{ '{:_x}'.format(1048575) }} {{ '{:_b}'.format(255) }} {{ '{:#X}'.format(255) }} {{ '{:#.3g}'.format(1.0) }} {{ '{:-d}'.format(5) }} {{ '{:z>5}'.format('a') }} {{ '{:<<5}'.format('a') }}
{{ '{:inf}'.format(1) }}
{{ '%f %d' % (1e400, 5) }}
"""


def cases():
    for group, listed in CASES.items():
        if isinstance(listed, str):
            # A template that itself has a line end: the next line does not begin with a brace.
            joined = []
            for line in listed.strip("\n").split("\n"):
                if joined and not line.startswith("{"):
                    joined[-1] += "\n" + line
                else:
                    joined.append(line)
            listed = joined
        for template in listed:
            yield group, template
            # One error hides the rest of a line, so each print of a line of prints is a case too.
            parts = template.split("}} ")
            if group not in ("white space", "escapes") and "{%" not in template and len(parts) > 1:
                for part in parts[:-1]:
                    yield group, part + "}}"
                yield group, parts[-1]


class Generation(Extension):
    """transformers' own tag: {% generation %}."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("said"), [], [], body).set_lineno(line)

    def said(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(form):
        return datetime.datetime(2025, 7, 10, 12, 0, 0, 123456).strftime(form)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                         extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def main():
    made, seen, out = environment(), set(), []
    for group, template in cases():
        if template in seen:
            continue
        seen.add(template)
        try:
            text = made.from_string(template).render(**json.loads(json.dumps(VARIABLES)))
        except Exception:  # Whatever it is: a user of transformers sees a traceback.
            out.append([template])
            continue
        if " at 0x" not in text and "<function" not in text and "<class" not in text and "<built-in" not in text:
            out.append([template, text])
    with open(Path(__file__).with_name("cases.json"), "w", encoding="utf-8") as file:
        file.write('{"variables": ' + json.dumps(VARIABLES, ensure_ascii=False) + ',\n "cases": [\n  ')
        file.write(",\n  ".join(json.dumps(case, ensure_ascii=False) for case in out))
        file.write("\n ]}\n")
    print(len(out), "cases,", sum(len(case) == 1 for case in out), "of them errors")


if __name__ == "__main__":
    main()
