#include "llm/text/tokenizer/gguf_pre_tokenizer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "llm/text/tokenizer/byte_level.hpp"

namespace kvmesh::llm {
namespace {

// Patterns as the tokenizer.json of each family has them, except that upper and lower case of 's, 't and the like are
// written out as llama.cpp does: (?i:'s) would take in U+017F too.
constexpr const char* kEndings = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
constexpr const char* kSpaces = R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr const char* kDigit = R"(\p{N})";
constexpr const char* kUpToThreeDigits = R"(\p{N}{1,3})";
constexpr const char* kThreeAsciiDigits = "[0-9][0-9][0-9]";
constexpr const char* kChinese = "[一-龥ࠀ-一가-퟿]+";
constexpr const char* kChineseAndKana = "[一-龥぀-ゟ゠-ヿ]+";
constexpr const char* kPunctuatedWords =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)";

/// Words, `digits`, and punctuation with the line ends behind it: Llama 3's pattern and those that were made of it.
std::string words_and(const std::string& digits) {
  return cat(kEndings, R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)", digits, R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)", kSpaces);
}

/// Words that end where small letters end, with `endings` behind them. Letters that are not a to z, then letters that
/// are not A to Z: so llama.cpp reads upper and lower case.
std::string cased_words_and(const std::string& digits, const std::string& endings) {
  return cat(R"([^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+)", endings,
             R"(|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*)", endings, "|", digits,
             R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)", kSpaces);
}

struct Rule {
  std::vector<std::string_view> names;
  std::vector<std::string> patterns;  ///< each cuts what the one before has left
  bool ignore_merges = false;
  bool add_bos = false;
};

const std::vector<Rule>& rules() {
  static const std::string gpt2(byte_level::kPattern);
  static const std::vector<Rule> rules{
      {.names = {"default"}, .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", kThreeAsciiDigits}},
      {.names = {"gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "trillion",
                 "granite-docling", "exaone4"},
       .patterns = {gpt2}},
      {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
       .patterns = {kDigit, gpt2}},
      {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
       .patterns = {words_and(kUpToThreeDigits)},
       .ignore_merges = true,
       .add_bos = true},
      {.names = {"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, .patterns = {words_and(kUpToThreeDigits)}},
      {.names = {"qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"},
       .patterns = {words_and(kDigit)}},
      {.names = {"qwen35"},
       .patterns = {cat(kEndings, R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)",
                        kSpaces)}},
      {.names = {"minicpm5"}, .patterns = {kUpToThreeDigits, words_and(R"(\p{N}+)")}, .ignore_merges = true},
      {.names = {"seed-coder"},
       .patterns = {cat(kEndings, R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+)", kSpaces)}},
      {.names = {"tekken"}, .patterns = {cased_words_and(kDigit, "")}, .ignore_merges = true, .add_bos = true},
      {.names = {"gpt-4o", "llama4", "kanana2"}, .patterns = {cased_words_and(kUpToThreeDigits, cat(kEndings, "?"))}},
      {.names = {"falcon"}, .patterns = {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, kThreeAsciiDigits}},
      {.names = {"deepseek-coder"}, .patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kChinese, kDigit}},
      {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm"},
       .patterns = {kUpToThreeDigits, kChineseAndKana, cat(kPunctuatedWords, kSpaces)}},
  };
  return rules;
}

nlohmann::json description_of(const Rule& rule) {
  nlohmann::json steps = nlohmann::json::array();
  for (const std::string& pattern : rule.patterns)
    steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}});
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

}  // namespace

std::optional<GgufPreTokenizer> make_gguf_pre_tokenizer(std::string_view name) {
  const auto rule = std::find_if(rules().begin(), rules().end(), [&](const Rule& one) {
    return std::find(one.names.begin(), one.names.end(), name) != one.names.end();
  });
  if (rule == rules().end()) return std::nullopt;
  const nlohmann::json json = description_of(*rule);
  return GgufPreTokenizer{make_pre_tokenizer(Description(json, "tokenizer.ggml.pre")), rule->ignore_merges,
                          rule->add_bos};
}

}  // namespace kvmesh::llm
