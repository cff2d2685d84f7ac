#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace kvmesh {

/// What is wrong with something that has parts, so that one pass shows all of it. An error ends the part that it is
/// found in, and the parts beside that are looked at all the same.
class Complaints {
 public:
  /// True where `look` found nothing wrong.
  template <typename Look>
  bool attempt(const Look& look) {
    try {
      look();
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kFixInput) throw;
      texts_.emplace_back(error.what());
      return false;
    }
  }
  template <typename... Parts>
  void add(const Parts&... parts) {
    texts_.push_back(cat(parts...));
  }
  void add_all(const std::vector<std::string>& texts) { texts_.insert(texts_.end(), texts.begin(), texts.end()); }

  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
};

}  // namespace kvmesh
