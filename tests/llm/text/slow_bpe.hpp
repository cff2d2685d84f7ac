#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kvmesh::test {

/// Byte pair encoding as its definition reads: find the best pair of the whole word, merge it, begin again. Works on
/// spellings, shares nothing with the tokenizer.
class SlowBpe {
 public:
  explicit SlowBpe(const nlohmann::json& model) {
    for (const auto& [token, id] : model["vocab"].items()) ids_[token] = id.get<std::int64_t>();
    for (const auto& merge : model["merges"]) {
      const std::string line = merge.is_string() ? merge.get<std::string>() : "";
      const std::size_t space = line.find(' ');
      const auto pair = merge.is_string() ? std::make_pair(line.substr(0, space), line.substr(space + 1))
                                          : std::make_pair(merge[0].get<std::string>(), merge[1].get<std::string>());
      ranks_.emplace(pair, ranks_.size());
    }
  }

  /// Of one word whose characters are all in the vocabulary.
  std::vector<std::int64_t> encode(const std::string& word) const {
    std::vector<std::string> parts;
    for (const char byte : word) {
      if ((static_cast<unsigned char>(byte) & 0xC0) == 0x80) {
        parts.back() += byte;
      } else {
        parts.emplace_back(1, byte);
      }
    }
    while (merge_best(parts)) {
    }
    std::vector<std::int64_t> out;
    for (const std::string& part : parts) out.push_back(ids_.at(part));
    return out;
  }

 private:
  bool merge_best(std::vector<std::string>& parts) const {
    auto best = ranks_.end();
    std::size_t at = 0;
    for (std::size_t index = 0; index + 1 < parts.size(); ++index) {
      const auto found = ranks_.find({parts[index], parts[index + 1]});
      if (found == ranks_.end() || (best != ranks_.end() && found->second >= best->second)) continue;
      best = found;
      at = index;
    }
    if (best == ranks_.end()) return false;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    return true;
  }

  std::map<std::string, std::int64_t> ids_;
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
};

}  // namespace kvmesh::test
