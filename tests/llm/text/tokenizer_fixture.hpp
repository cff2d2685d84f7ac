#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "llm/text/tokenizer.hpp"

namespace kvmesh::test {

using Ids = std::vector<std::int64_t>;
using Json = nlohmann::ordered_json;

/// A folder of its own that goes away with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmesh-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline llm::Tokenizer load_tokenizer(const Json& description) {
  const TempDir folder;
  folder.write("tokenizer.json", description.dump());
  return llm::Tokenizer::load(folder.path());
}

/// A BPE whose vocabulary is `characters` (one id each, from 0) and the results of `merges`.
inline Json bpe_model(const std::vector<std::string>& characters,
                      const std::vector<std::pair<std::string, std::string>>& merges) {
  Json vocabulary = Json::object();
  for (const auto& character : characters) vocabulary.emplace(character, vocabulary.size());
  Json pairs = Json::array();
  for (const auto& [left, right] : merges) {
    vocabulary.emplace(left + right, vocabulary.size());
    pairs.push_back({left, right});
  }
  return {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", pairs}};
}

/// Tokens by their spelling.
inline std::vector<std::string> spell_ids(const llm::Tokenizer& tokenizer, const Ids& ids) {
  std::vector<std::string> out;
  for (const std::int64_t id : ids) out.push_back(tokenizer.token(id));
  return out;
}

/// The tokens of `text` by their spelling.
inline std::vector<std::string> spell(const llm::Tokenizer& tokenizer, std::string_view text) {
  return spell_ids(tokenizer, tokenizer.encode(text, /*add_special=*/false));
}

inline Json added_token(std::int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

/// Texts that break careless tokenizers.
inline std::vector<std::string> hard_texts() {
  return {"",
          "a",
          "Hello, world!",
          "for (int i = 0; i < n; ++i) {\n\treturn x[i] != '\\0';\n}\n",
          "東京タワーへ行きました。你好，世界",
          "مرحبا بالعالم",
          "\U0001F469\u200D\U0001F469\u200D\U0001F467 \U0001F44D\U0001F3FD\u2764\uFE0F",
          "e\u0301 n\u0303 \u1112\u1161\u11AB Z\u0351\u036B\u0343",
          std::string(5000, ' ') + "x" + std::string(3000, '\n') + "  ",
          std::string("\x00\x01\x02\x1f\x7f", 5),
          "1234567 3.14 0x1F ١٢٣ Ⅷ ½",
          "don't WE'LL i'm THEY'RE",
          "tab\there\r\nnext\r\n\r\nlast  ",
          "\u00A0\u2003\u3000\u0085\u180E\uFEFF"};
}

}  // namespace kvmesh::test
