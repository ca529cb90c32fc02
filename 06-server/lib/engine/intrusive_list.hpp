// A list whose links live in its members: joining and leaving costs no memory and no search.
#pragma once

#include <cstdint>

#include "01-core/lib/assert.hpp"

namespace lab {

/// The place of an object in one list. Out of every list both are null.
template <class T>
struct ListLink {
  T* previous = nullptr;
  T* next = nullptr;
};

/// First in, first out, with removal from anywhere. Does not own its members.
template <class T, ListLink<T> T::*Link>
class IntrusiveList {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  std::uint32_t size() const noexcept { return size_; }
  T* front() const noexcept { return head_; }
  bool contains(const T& member) const noexcept {
    return (member.*Link).previous != nullptr || head_ == &member;
  }
  static T* next(const T& member) noexcept { return (member.*Link).next; }

  void push_back(T& member) noexcept {
    ListLink<T>& link = member.*Link;
    link = {tail_, nullptr};
    (tail_ != nullptr ? (tail_->*Link).next : head_) = &member;
    tail_ = &member;
    ++size_;
  }

  /// REQUIRES: the member is in this list.
  void remove(T& member) noexcept {
    ListLink<T>& link = member.*Link;
    LAB_ASSERT(size_ > 0);
    (link.previous != nullptr ? (link.previous->*Link).next : head_) = link.next;
    (link.next != nullptr ? (link.next->*Link).previous : tail_) = link.previous;
    link = {};
    --size_;
  }

  void move_to_back(T& member) noexcept {
    if (tail_ == &member) return;
    remove(member);
    push_back(member);
  }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace lab
