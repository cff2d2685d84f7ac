#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {

/// The messages that a sender may be asked for again, until their receiver says that all are there. They are views of
/// caches and are not copied, so what this costs is that the caches live so long. Safe from any thread.
///
/// Bound: the last kMostRequests on each edge; what was sent before is forgotten.
class SentKv {
 public:
  static constexpr std::size_t kMostRequests = 8;
  /// Makes the message, with its rows. From any thread.
  using Make = std::function<wire::UnsealedMessage()>;

  /// Message number `sequence` of `request`, each after the one before, is about to leave on outbound edge `edge`.
  void sent(std::size_t edge, const std::string& request, std::uint32_t sequence, Make make);
  /// Null where it was not sent, or is not remembered any more.
  Make find(std::size_t edge, const wire::Again& again) const;
  void done(std::size_t edge, const std::string& request);
  /// The same on every edge.
  void forget(const std::string& request);

 private:
  struct Request {
    std::size_t edge = 0;
    std::string name;
    std::deque<Make> messages;
  };

  mutable std::mutex mutex_;
  std::deque<Request> requests_;
};

}  // namespace kvmesh::agents
