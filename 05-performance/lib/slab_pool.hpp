// Objects of one type in one piece of memory, made once: taking and giving back is a list
// operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "01-core/lib/assert.hpp"

namespace lab {

/// A fixed number of T. Room that is free holds no object. Single-threaded.
/// Lifetime: every object is destroyed before the pool; the destructor asserts it.
template <class T>
class SlabPool {
 public:
  explicit SlabPool(std::uint32_t size) : slots_(std::make_unique<Slot[]>(size)), size_(size) {
    for (std::uint32_t position = size; position > 0; --position) put(&slots_[position - 1]);
  }
  ~SlabPool() { LAB_ASSERT(used() == 0); }
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  /// @return a new object, or null when the pool is empty: a result, not an exception
  template <class... Arguments>
  T* create(Arguments&&... arguments) noexcept {
    if (free_ == nullptr) return nullptr;
    Slot* slot = free_;
    free_ = slot->next;
    --free_count_;
    return ::new (static_cast<void*>(slot->object)) T(std::forward<Arguments>(arguments)...);
  }

  void destroy(T* object) noexcept {
    object->~T();
    put(reinterpret_cast<Slot*>(object));
  }

  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t free() const noexcept { return free_count_; }
  std::uint32_t used() const noexcept { return size_ - free_count_; }

 private:
  union Slot {
    Slot() noexcept : next(nullptr) {}
    ~Slot() {}
    Slot* next;
    alignas(T) std::byte object[sizeof(T)];
  };

  void put(Slot* slot) noexcept {
    slot->next = free_;
    free_ = slot;
    ++free_count_;
  }

  std::unique_ptr<Slot[]> slots_;
  Slot* free_ = nullptr;
  std::uint32_t size_;
  std::uint32_t free_count_ = 0;
};

}  // namespace lab
