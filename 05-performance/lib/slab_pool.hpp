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
/// All of its memory is allocated in the constructor: size() objects, and never one more.
/// Lifetime: every object is destroyed before the pool; the destructor asserts it.
/// @code
///   SlabPool<Connection> connections(connections_max);
///   Connection* connection = connections.create(slot);  // null: full, refuse the client
///   connections.destroy(connection);                    // after its last CQE, not before
/// @endcode
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

  /// REQUIRES: `object` is from create() of this pool, and no operation of the kernel needs it.
  void destroy(T* object) noexcept {
    object->~T();
    put(reinterpret_cast<Slot*>(object));
  }

  std::uint32_t size() const noexcept { return size_; }                ///< objects there can be
  std::uint32_t free() const noexcept { return free_count_; }          ///< more that can be made
  std::uint32_t used() const noexcept { return size_ - free_count_; }  ///< objects that are alive

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
