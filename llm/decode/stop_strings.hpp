#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm {

/// Lets text through up to the first stop string, however the text is cut into pieces. Of several stop strings the one
/// that is complete first counts, of those the one that began first. For one sequence and one thread.
///
/// Special tokens stand between the text's characters and are never shown. A stop string of `with_special` is looked
/// for in the text with the spellings of special tokens where they stand, one of `plain` in the text without them.
class StopStrings {
 public:
  /// Throws Error{kFixInput} for an empty string, which would stop before anything was said.
  explicit StopStrings(std::vector<std::string> plain, std::vector<std::string> with_special = {});

  /// What of the text so far may be shown now: not what may be the start of a stop string. Nothing once one was found.
  std::string push(std::string_view text);
  std::string push_special(std::string_view spelling);

  /// Has a stop string come? Neither it nor anything after it is ever returned.
  bool found() const { return found_; }

  /// Where the stop string that was found begins: bytes of text and of special tokens that came before it.
  std::size_t begin() const { return done_; }

  /// The text is over: what was held back.
  std::string finish();

 private:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  /// The text behind done_ without special tokens, and where in all_ each of its bytes (and its end) stands.
  struct Plain {
    std::string text;
    std::vector<std::size_t> place;
  };

  std::string let_through();
  Plain plain_text() const;
  std::optional<Match> find(const Plain& plain) const;
  std::string show_until(std::size_t end);

  std::vector<std::string> plain_;
  std::vector<std::string> with_special_;
  std::string all_;       ///< every byte that came, spellings of special tokens among them
  std::string is_text_;   ///< for each byte of all_: 1, or 0 in a special token
  std::size_t done_ = 0;  ///< what of all_ was let through
  bool found_ = false;
};

}  // namespace kvmesh::llm
