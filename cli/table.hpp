#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// A table for a terminal: columns as wide as their widest cell, numbers to the right, a rule under the head.
/// Control characters in cells are shown.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  /// A row with as many cells as the head.
  void add(std::vector<std::string> cells);
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// `value` with `digits` behind the point.
std::string fixed(double value, int digits);

/// `text` without white space at its ends: some models begin what they say with a space.
std::string trimmed(const std::string& text);

/// "512 B", "3.4 KiB", "1.2 MiB".
std::string human_bytes(double bytes);

/// "950", "3.4 M", "1.2 G", in thousands.
std::string human_count(double count);

}  // namespace kvmesh::cli
