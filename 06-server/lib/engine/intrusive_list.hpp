// A list whose links live in its members: joining and leaving costs no memory and no search.
#pragma once

#include <cstdint>

#include "01-core/lib/assert.hpp"

namespace lab {

/// The place of an object in one list. Out of every list both are null.
template <class T>
struct ListLink {
  T* previous = nullptr;  ///< null: the first, or in no list
  T* next = nullptr;      ///< null: the last, or in no list
};

/// First in, first out, with removal from anywhere. Does not own its members.
template <class T, ListLink<T> T::*Link>
class IntrusiveList {
 public:
  /// True without a member.
  bool empty() const noexcept { return head_ == nullptr; }
  /// Members.
  std::uint32_t size() const noexcept { return size_; }
  /// The first, or null.
  T* front() const noexcept { return head_; }
  /// True when it is in this list. REQUIRES: it is in no other by the same link.
  bool contains(const T& member) const noexcept {
    return (member.*Link).previous != nullptr || head_ == &member;
  }
  /// The one behind it, or null.
  static T* next(const T& member) noexcept { return (member.*Link).next; }

  /// REQUIRES: it is in no list by this link, and stays where it is while it is in this one.
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

  /// REQUIRES: the member is in this list.
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
