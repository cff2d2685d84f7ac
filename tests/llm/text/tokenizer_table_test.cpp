// Whole tokenizers against a slow formulation of their own: each pattern spelt out as a scanner, bytes spelt by GPT-2's
// rule, merges found by looking at every pair (SlowBpe). Nothing of llm/text takes part in what is
// expected.

#include <utf8proc.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <functional>
#include <set>

#include "tests/llm/text/slow_bpe.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"

namespace kvmesh::test {
namespace {

using Text = std::u32string;
using Words = std::vector<std::string>;

Text characters_of(const std::string& utf8) {
  Text out;
  for (std::size_t at = 0; at < utf8.size();) {
    utf8proc_int32_t character = 0;
    at += static_cast<std::size_t>(utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()) + at,
                                                    static_cast<utf8proc_ssize_t>(utf8.size() - at), &character));
    out.push_back(static_cast<char32_t>(character));
  }
  return out;
}

std::string utf8_of(const Text& text) {
  std::string out;
  for (const char32_t character : text) {
    utf8proc_uint8_t bytes[4];
    const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  }
  return out;
}

char kind_of(char32_t character) {
  if (character == U' ' || (character >= 9 && character <= 13) || character == 0x85) return 's';
  switch (utf8proc_category_string(static_cast<utf8proc_int32_t>(character))[0]) {
    case 'L': return 'L';
    case 'N': return 'N';
    case 'Z': return 's';
    default: return 'o';
  }
}

bool is_line_end(char32_t character) { return character == U'\n' || character == U'\r'; }

/// Walks over a text and cuts words off its front.
class Scanner {
 public:
  explicit Scanner(const std::string& utf8) : text_(characters_of(utf8)) {}

  /// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  Words gpt2() {
    return scan([this] {
      if (const std::size_t size = contraction(/*any_case=*/false)) return size;
      const std::size_t space = at(0) == U' ' && kind(1) != 's' && kind(1) != '\0' ? 1 : 0;
      if (kind(space) != 's') return space + run(space, kind(space));
      return white_space();
    });
  }

  /// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
  /// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
  Words llama3() {
    return scan([this] {
      if (const std::size_t size = contraction(/*any_case=*/true)) return size;
      const std::size_t lead = kind(0) != 'L' && kind(0) != 'N' && !is_line_end(at(0)) && kind(1) == 'L' ? 1 : 0;
      if (kind(lead) == 'L') return lead + run(lead, 'L');
      if (kind(0) == 'N') return std::min<std::size_t>(run(0, 'N'), 3);
      const std::size_t space = at(0) == U' ' && kind(1) == 'o' ? 1 : 0;
      if (kind(space) == 'o') {
        std::size_t size = space + run(space, 'o');
        while (is_line_end(at(size))) ++size;
        return size;
      }
      std::size_t lines = 0;
      for (std::size_t size = 0; kind(size) == 's'; ++size)
        if (is_line_end(at(size))) lines = size + 1;
      return lines != 0 ? lines : white_space();
    });
  }

 private:
  template <typename Next>
  Words scan(Next next) {
    Words words;
    while (at_ < text_.size()) {
      const std::size_t size = next();
      words.push_back(utf8_of(text_.substr(at_, size)));
      at_ += size;
    }
    return words;
  }

  char32_t at(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : U'\0'; }
  char kind(std::size_t ahead) const { return at_ + ahead < text_.size() ? kind_of(text_[at_ + ahead]) : '\0'; }

  std::size_t run(std::size_t from, char of) const {
    std::size_t size = 0;
    while (kind(from + size) == of) ++size;
    return size;
  }

  std::size_t contraction(bool any_case) const {
    for (const Text end : {U"s", U"t", U"re", U"ve", U"m", U"ll", U"d"}) {
      std::size_t same = at(0) == U'\'' ? 0 : end.size() + 1;
      while (same < end.size() && (at(1 + same) == end[same] || (any_case && at(1 + same) == end[same] - 32))) ++same;
      if (same == end.size()) return 1 + end.size();
    }
    return 0;
  }

  /// The white space here, but the last of it where a word follows.
  std::size_t white_space() const {
    const std::size_t size = run(0, 's');
    return size > 1 && kind(size) != '\0' ? size - 1 : size;
  }

  Text text_;
  std::size_t at_ = 0;
};

/// GPT-2's rule: printable Latin-1 stands for itself, the other bytes for U+0100 and on, in order.
std::string spell_byte(unsigned char byte) {
  const auto plain = [](int value) {
    return (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xFF && value != 0xAD);
  };
  if (plain(byte)) return utf8_of({static_cast<char32_t>(byte)});
  char32_t place = 0x100;
  for (int value = 0; value < byte; ++value) place += plain(value) ? 0 : 1;
  return utf8_of({place});
}

std::string spell_bytes(const std::string& word) {
  std::string out;
  for (const char byte : word) out += spell_byte(static_cast<unsigned char>(byte));
  return out;
}

std::vector<std::string> table() {
  return {"for (int i = 0; i < n; ++i) {\n\treturn x[i] != '\\0';\n}\n",
          "def f(x):\r\n    return x**2  # square\r\n\r\n",
          "東京タワーへ行きました。你好，世界！한국어도",
          "مرحبا بالعالم، كيف الحال؟ ١٢٣",
          "\U0001F469\u200D\U0001F469\u200D\U0001F467 \U0001F44D\U0001F3FD\u2764\uFE0F\U0001F1E9\U0001F1EA",
          "e\u0301 n\u0303o \u1112\u1161\u11AB Z\u0351\u036B\u0343z",
          std::string(150, ' ') + "x" + std::string(80, '\n') + "  y" + std::string(70, '\t'),
          std::string("a\x00\x01\x02\x1f b\x7f", 8),
          "1234567 3.14 0x1F ١٢٣ Ⅷ ½ 12a34",
          "don't WE'LL i'm THEY'RE it'S 'tis o'clock '",
          "tab\there\r\nnext\r\n\r\nlast  ",
          "\u00A0\u2003a\u3000 \u0085 b\u2028",
          "...!!!??? --> (a)(b) \"q\" _x_",
          "straße ÀÉÎ Ünï İ ı ﬁ",
          " leading",
          "trailing ",
          "  two  spaces  ",
          "",
          " ",
          "\n"};
}

/// Merges that build the first characters of every word that comes, so that words overlap and ranks compete.
std::vector<std::pair<std::string, std::string>> merges_for(const std::vector<Words>& words, std::size_t most) {
  std::vector<std::pair<std::string, std::string>> merges;
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t begin : {1, 0}) {
    for (const Words& each : words) {
      for (const std::string& word : each) {
        const Text characters = characters_of(word);
        for (std::size_t size = 1; begin + size < characters.size() && size <= most; ++size) {
          const std::pair pair(utf8_of(characters.substr(begin, size)), utf8_of(characters.substr(begin + size, 1)));
          if (seen.insert(pair).second) merges.push_back(pair);
        }
      }
    }
  }
  return merges;
}

/// Every text of the table through `description`, whose words and their spelling are `words_of`.
void check_table(Json description, const std::vector<std::string>& characters,
                 const std::function<Words(const std::string&)>& words_of) {
  std::vector<Words> words;
  for (const std::string& text : table()) words.push_back(words_of(text));
  Json model = bpe_model(characters, merges_for(words, 4));
  for (const auto& [key, value] : model.items()) description["model"][key] = value;
  const llm::Tokenizer tokenizer = load_tokenizer(description);
  const SlowBpe slow(model);
  for (std::size_t index = 0; index < words.size(); ++index) {
    INFO(table()[index]);
    Ids expected;
    for (const std::string& word : words[index])
      for (const std::int64_t id : slow.encode(word)) expected.push_back(id);
    CHECK(tokenizer.encode(table()[index], /*add_special=*/false) == expected);
    CHECK(tokenizer.decode(expected, /*skip_special=*/false) == table()[index]);
  }
}

std::vector<std::string> byte_characters() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.push_back(spell_byte(static_cast<unsigned char>(byte)));
  return out;
}

Words spelt(Words words) {
  for (std::string& word : words) word = spell_bytes(word);
  return words;
}

std::string with_visible_spaces(const std::string& text) {
  std::string out;
  for (const char byte : text) out += byte == ' ' ? std::string("▁") : std::string(1, byte);
  return out;
}

/// The characters that the vocabulary has; all others become bytes.
const std::set<std::string> kKnown{"▁", "a", "b", "d", "e",  "f",  "i", "l", "n",
                                   "o", "r", "t", "x", "東", "京", "é", "."};

}  // namespace

TEST_CASE("a table of texts through GPT-2's kind of tokenizer gives what a slow formulation gives") {
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  check_table({{"pre_tokenizer", byte_level}, {"decoder", {{"type", "ByteLevel"}}}}, byte_characters(),
              [](const std::string& text) { return spelt(Scanner(text).gpt2()); });
}

TEST_CASE("a table of texts through Llama 3's kind of tokenizer gives what a slow formulation gives") {
  const Json split = {{"type", "Split"},
                      {"pattern",
                       {{"Regex",
                         "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
                         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  check_table({{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
               {"decoder", {{"type", "ByteLevel"}}}},
              byte_characters(), [](const std::string& text) { return spelt(Scanner(text).llama3()); });
}

TEST_CASE("a table of texts through Llama 2's and Gemma's kind of tokenizer gives what a slow formulation gives") {
  std::vector<std::string> characters(kKnown.begin(), kKnown.end());
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    characters.emplace_back(name);
  }
  for (const bool prepends : {true, false}) {
    const Json space = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
    const Json unspace = {{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}};
    Json normalizers = {space}, decoders = {unspace, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
    if (prepends) {
      normalizers = {{{"type", "Prepend"}, {"prepend", "▁"}}, space};
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    Json description = {{"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
                        {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}}};
    std::vector<std::pair<std::string, std::string>> merges{{"▁", "▁"},  {"▁▁", "▁▁"}, {"▁▁▁▁", "▁▁▁▁"}, {"r", "e"},
                                                            {"t", "re"}, {"a", "t"},   {"東", "京"},     {"▁", "x"},
                                                            {"i", "n"},  {"in", "t"},  {"▁", "int"},     {"e", "é"}};
    Json model = bpe_model(characters, merges);
    description["model"] = model;
    description["model"]["byte_fallback"] = true;
    const llm::Tokenizer tokenizer = load_tokenizer(description);
    const SlowBpe slow(model);
    for (const std::string& text : table()) {
      INFO(text);
      const std::string normal = (prepends && !text.empty() ? "▁" : "") + with_visible_spaces(text);
      Ids expected;
      std::string known;
      const auto end_known = [&] {
        if (!known.empty())
          for (const std::int64_t id : slow.encode(known)) expected.push_back(id);
        known.clear();
      };
      for (const char32_t character : characters_of(normal)) {
        const std::string spelling = utf8_of({character});
        if (kKnown.count(spelling) != 0) {
          known += spelling;
          continue;
        }
        end_known();  // no merge has a byte in it
        for (const char byte : spelling) {
          char name[8];
          std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned char>(byte));
          expected.push_back(model["vocab"][name].get<std::int64_t>());
        }
      }
      end_known();
      CHECK(tokenizer.encode(text, /*add_special=*/false) == expected);
      CHECK(tokenizer.decode(expected, /*skip_special=*/false) == text);
    }
  }
}

}  // namespace kvmesh::test
