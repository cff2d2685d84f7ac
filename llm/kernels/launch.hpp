#pragma once

// What the operators over tensors share: how kernels are called with tensors, on threads, with scratch.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "llm/kernels/kernel_sets.hpp"
#include "llm/kernels/parallel.hpp"

namespace kvmesh::llm::kernels {

/// Memory that a thread must have to read or write before it is worth waking: some microseconds' worth.
constexpr std::int64_t kBytesPerThread = 128 * 1024;

template <class T>
T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

/// Calls f with a null T*, T being what the kernels call elements of `type`.
template <class F>
void with_element_of(at::ScalarType type, const F& f) {
  if (type == at::kFloat) f(static_cast<float*>(nullptr));
  else if (type == at::kHalf) f(static_cast<Fp16*>(nullptr));
  else f(static_cast<Bf16*>(nullptr));
}
template <class F>
void with_element_of(const at::Tensor& x, const F& f) {
  with_element_of(x.scalar_type(), f);
}

/// Runs a task's parts [0, count), `bytes` of memory each.
template <class Task>
void share(void (*kernel)(const Task&, Range), const Task& task, std::int64_t count, std::int64_t bytes,
           std::int64_t step = 1) {
  struct Job {
    void (*kernel)(const Task&, Range);
    const Task& task;
  };
  const Job job{kernel, task};
  share_ranges(
      at::get_num_threads(), count, kBytesPerThread / std::max<std::int64_t>(bytes, 1) + 1, step,
      [](const void* context, Range part) {
        const auto& own = *static_cast<const Job*>(context);
        own.kernel(own.task, part);
      },
      &job);
}

/// A thread's scratch, aligned to 64; grows, never shrinks. The next call of the same thread takes it back.
void* scratch(std::int64_t bytes);

}  // namespace kvmesh::llm::kernels
