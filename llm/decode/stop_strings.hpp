#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm {

/// Lets text through up to the first stop string, however the text is cut into pieces. Of several stop strings the one
/// that is complete first counts, of those the one that began first. For one sequence and one thread.
class StopStrings {
 public:
  /// Throws Error{kFixInput} for an empty string, which would stop before anything was said.
  explicit StopStrings(std::vector<std::string> strings);

  /// What of the text so far may be shown now: not what may be the start of a stop string. Nothing once one was found.
  std::string push(std::string_view text);

  /// Has a stop string come? Neither it nor anything after it is ever returned.
  bool found() const { return found_; }

  /// The text is over: what was held back.
  std::string finish();

 private:
  bool find(std::size_t& begin) const;
  std::size_t possible_start() const;

  std::vector<std::string> strings_;
  std::string held_;
  bool found_ = false;
};

/// `text` up to the first of `stop`.
std::string text_before(const std::vector<std::string>& stop, std::string_view text);

}  // namespace kvmesh::llm
