#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm {

/// A token that is looked for in the text before anything else is done with it.
struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool single_word = false;  ///< only where no letter or digit touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< looked for in the normalized text, itself normalized
  bool special = false;
};

/// Finds added tokens in text: leftmost first, the longest of those that start at the same place. A value.
class AddedTokenFinder {
 public:
  /// Looks for `spelling` as `token`; a spelling that is empty is never found.
  void add(std::string_view spelling, const AddedToken& token);

  /// Calls on_text for every stretch (never empty) without added tokens and on_token for every added token, in order.
  /// `on_text` is told whether the stretch starts where `text` starts.
  void scan(std::string_view text, const std::function<void(std::string_view, bool at_start)>& on_text,
            const std::function<void(std::int64_t)>& on_token) const;

 private:
  struct Node {
    std::map<char, std::size_t> next;
    std::size_t token = kNone;
  };
  struct Match {
    std::size_t token = kNone;
    std::size_t length = 0;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Match longest_at(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_{Node{}};
  std::array<bool, 256> starts_{};  ///< by first byte, so that most of a text is passed over quickly
};

}  // namespace kvmesh::llm
