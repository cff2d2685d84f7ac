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
/// Bound: `budget_bytes` of rows, and the last kMostRequests on each edge. The request that was sent first is forgotten
/// first, but never the one that is being sent: its cache is there in any case.
class SentKv {
 public:
  static constexpr std::size_t kMostRequests = 8;
  /// Makes the message, with its rows. From any thread.
  using Make = std::function<wire::UnsealedMessage()>;

  explicit SentKv(std::size_t budget_bytes) : budget_(budget_bytes) {}

  /// Message number `sequence` of `request`, each after the one before, is about to leave on outbound edge `edge`.
  /// `bytes`: of its rows, as they stand in the cache.
  void sent(std::size_t edge, const std::string& request, std::uint32_t sequence, std::size_t bytes, Make make);
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
    std::size_t bytes = 0;
  };

  template <typename Which>
  void drop_first(Which which);
  template <typename Which>
  void drop_all(Which which);

  const std::size_t budget_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::deque<Request> requests_;
};

}  // namespace kvmesh::agents
