#include "llm/cache/device_copies.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace kvmesh::llm {

// Through c10's device-independent interface: the same object file serves a libtorch with and without CUDA.
DeviceCopies::DeviceCopies(at::Device device)
    : device_(device), stream_(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)) {}

void DeviceCopies::follow() const {
  c10::Event launched(device_.type());
  launched.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  launched.block(stream_);
}

at::Tensor DeviceCopies::to_host(const at::Tensor& tensor) {
  c10::InferenceMode inference;
  follow();
  const c10::StreamGuard guard(stream_);
  const auto pinned = at::TensorOptions().dtype(tensor.scalar_type()).device(at::kCPU).pinned_memory(true);
  at::Tensor host = at::empty(tensor.sizes(), pinned);
  host.copy_(tensor, /*non_blocking=*/true);
  // The allocator may hand the memory out again once our stream has passed this point, not before.
  tensor.record_stream(stream_);
  return host;
}

void DeviceCopies::wait() const { stream_.synchronize(); }

void DeviceCopies::beside(const std::function<void()>& work) const {
  follow();
  {
    const c10::StreamGuard guard(stream_);
    work();
  }
  wait();
}

}  // namespace kvmesh::llm
