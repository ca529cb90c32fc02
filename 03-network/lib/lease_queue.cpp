#include "03-network/lib/lease_queue.hpp"

namespace lab {

LeasePool::LeasePool(std::uint32_t size) : nodes_(size) {
  for (std::uint32_t index = size; index > 0; --index) {
    nodes_[index - 1].next = free_;
    free_ = index - 1;
  }
}

std::uint32_t LeasePool::take(BufferLease lease) noexcept {
  LAB_ASSERT(free_ != none);
  const std::uint32_t node = free_;
  free_ = nodes_[node].next;
  nodes_[node].lease = std::move(lease);
  nodes_[node].next = none;
  return node;
}

BufferLease LeasePool::give_back(std::uint32_t node) noexcept {
  BufferLease lease = std::move(nodes_[node].lease);
  nodes_[node].next = free_;
  free_ = node;
  return lease;
}

void LeaseQueue::push(BufferLease lease) noexcept {
  bytes_ += lease.size();
  ++count_;
  const std::uint32_t node = pool_.take(std::move(lease));
  if (head_ == LeasePool::none) {
    head_ = node;
  } else {
    pool_.nodes_[tail_].next = node;
  }
  tail_ = node;
}

void LeaseQueue::push_front(BufferLease lease) noexcept {
  bytes_ += lease.size();
  ++count_;
  const std::uint32_t node = pool_.take(std::move(lease));
  pool_.nodes_[node].next = head_;
  if (head_ == LeasePool::none) tail_ = node;
  head_ = node;
}

const BufferLease& LeaseQueue::front() const noexcept {
  LAB_ASSERT(!empty());
  return pool_.nodes_[head_].lease;
}

BufferLease LeaseQueue::pop() noexcept {
  LAB_ASSERT(!empty());
  const std::uint32_t node = head_;
  head_ = pool_.nodes_[node].next;
  if (head_ == LeasePool::none) tail_ = LeasePool::none;
  BufferLease lease = pool_.give_back(node);
  bytes_ -= lease.size();
  --count_;
  return lease;
}

void LeaseQueue::consume(std::uint32_t sent) noexcept {
  LAB_ASSERT(sent <= bytes_);
  while (!empty() && sent >= front().size()) sent -= pop().size();
  if (sent > 0) {
    pool_.nodes_[head_].lease.drop_front(sent);
    bytes_ -= sent;
  }
}

unsigned LeaseQueue::gather(std::span<iovec> entries, std::uint32_t& bytes) const noexcept {
  unsigned filled = 0;
  bytes = 0;
  for (std::uint32_t node = head_; node != LeasePool::none && filled < entries.size();
       node = pool_.nodes_[node].next) {
    const auto slice = pool_.nodes_[node].lease.bytes();
    entries[filled++] = {slice.data(), slice.size()};
    bytes += static_cast<std::uint32_t>(slice.size());
  }
  return filled;
}

void LeaseQueue::clear() noexcept {
  while (!empty()) pop();
}

}  // namespace lab
