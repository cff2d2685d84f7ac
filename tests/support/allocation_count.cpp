#include "tests/support/allocation_count.hpp"

#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <new>

namespace {

thread_local std::int64_t news = 0;
thread_local std::int64_t tensor_blocks = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++news;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size == 0 ? 1 : size) != 0)
    throw std::bad_alloc();
  return memory;
}

/// libtorch's own CPU allocator, counted.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}
  c10::DataPtr allocate(std::size_t bytes) const override {
    ++tensor_blocks;
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }

 private:
  c10::Allocator* inner_;
};

}  // namespace

// The whole test program allocates through these; free() takes back what posix_memalign gave.
void* operator new(std::size_t size) { return counted(size, sizeof(void*)); }
void* operator new[](std::size_t size) { return counted(size, sizeof(void*)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace kvmesh::test {

AllocationCount::AllocationCount() {
  static CountingAllocator counting(c10::GetCPUAllocator());
  c10::SetCPUAllocator(&counting, /*priority=*/1);
  news = 0;
  tensor_blocks = 0;
}

std::int64_t AllocationCount::operator_new() const { return news; }
std::int64_t AllocationCount::tensors() const { return tensor_blocks; }

}  // namespace kvmesh::test
