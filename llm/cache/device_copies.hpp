#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <functional>

namespace kvmesh::llm {

/// Copies between a device and the host beside what the device computes: on a stream of their own, through pinned
/// memory. For devices that have streams, that is, not for the CPU. A resource; one thread at a time.
class DeviceCopies {
 public:
  explicit DeviceCopies(at::Device device);
  DeviceCopies(const DeviceCopies&) = delete;
  DeviceCopies& operator=(const DeviceCopies&) = delete;

  /// Begins to copy `tensor` as it will be once everything that the calling thread has launched so far is done. The
  /// result, in pinned memory, is complete after wait(). The tensor's memory is kept until then.
  at::Tensor to_host(const at::Tensor& tensor);
  /// Waits, on the host, until every copy that was begun is complete; later work on the device is not waited for.
  void wait() const;
  /// Runs `work`, whose copies and computations then take place beside those of other threads, after all that the
  /// device was given before; returns when they are complete, so that every thread may use the results.
  void beside(const std::function<void()>& work) const;

 private:
  /// Makes our stream wait for what the calling thread's current stream has been given so far.
  void follow() const;

  at::Device device_;
  c10::Stream stream_;
};

}  // namespace kvmesh::llm
