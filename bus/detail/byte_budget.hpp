#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "base/deadline.hpp"

namespace kvmesh::bus::detail {

/// How many bytes may wait to be published, counted from publish() until ZeroMQ has let go of them. Safe from any
/// thread; lives as long as the last charge on it, which ZeroMQ may hold longer than the node lives.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  /// Bytes taken from a budget and given back by its destructor, on whatever thread that runs.
  class Charge {
   public:
    Charge(std::shared_ptr<ByteBudget> budget, std::size_t bytes);
    ~Charge();
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;

   private:
    std::shared_ptr<ByteBudget> budget_;
    std::size_t bytes_;
  };

  explicit ByteBudget(std::size_t limit);

  /// Takes `bytes`, waiting for room until `deadline`. Throws Error that names `topic`: kFixInput for more than the
  /// whole budget, kRetry when the deadline passes, kGiveUp once closed.
  std::shared_ptr<Charge> take(std::size_t bytes, const std::string& topic, const Deadline& deadline);

  /// From now on take() throws, for those that wait too. The first reason stays.
  void close(const std::string& reason);

  std::size_t in_use() const;

 private:
  void give_back(std::size_t bytes);

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t in_use_ = 0;
  bool closed_ = false;
  std::string closed_reason_;
};

}  // namespace kvmesh::bus::detail
