#include "tests/support/allocation_count.hpp"

#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <cstring>
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

void* counted_or_null(std::size_t size, std::size_t alignment) noexcept {
  try {
    return counted(size, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// libtorch's own CPU allocator, counted. allocate() is const in PyTorch 1.13 and no longer in later 2.x, which ask for
/// copy_data() besides: whichever of these a version does not know overrides nothing, so none says `override`.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}
  c10::DataPtr allocate(std::size_t bytes) const { return counted_block(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return counted_block(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }

 private:
  c10::DataPtr counted_block(std::size_t bytes) const {
    ++tensor_blocks;
    return inner_->allocate(bytes);
  }

  c10::Allocator* inner_;
};

}  // namespace

// The whole test program allocates through these; free() takes back what posix_memalign gave. Those that throw nothing
// too: a sanitizer has its own, which do not lead here, and then minds free().
void* operator new(std::size_t size) { return counted(size, sizeof(void*)); }
void* operator new[](std::size_t size) { return counted(size, sizeof(void*)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size, sizeof(void*)); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size, sizeof(void*)); }
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
