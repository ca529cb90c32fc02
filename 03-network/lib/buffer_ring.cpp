#include "03-network/lib/buffer_ring.hpp"

#include "01-core/lib/check.hpp"
#include "01-core/lib/poison.hpp"

namespace lab {

BufferRing::BufferRing(Ring& ring, const BufferRingOptions& options, std::span<std::byte> memory)
    : ring_(ring),
      memory_(memory.data()),
      count_(options.count),
      size_(options.size),
      group_(options.group),
      incremental_(options.incremental),
      state_(options.count) {
  aside_.reserve(count_);
  LAB_ASSERT(memory.size() >= std::size_t{count_} * size_);
  int error = 0;
  entries_ = io_uring_setup_buf_ring(
      ring.raw(), count_, group_, options.incremental ? unsigned{IOU_PBUF_RING_INC} : 0U, &error);
  if (entries_ == nullptr) check(error, "io_uring_setup_buf_ring");
  for (unsigned index = 0; index < count_; ++index) take_home(static_cast<BufferId>(index));
}

BufferRing::~BufferRing() {
  // A lease that outlives us would give its buffer to freed memory.
  for (const State& state : state_) LAB_ASSERT(state.slices == 0);
  unpoison(memory_, std::size_t{count_} * size_);
  io_uring_free_buf_ring(ring_.raw(), entries_, count_, group_);
}

BufferLease BufferRing::lease(const Cqe& cqe) noexcept {
  LAB_ASSERT(cqe.has_buffer());
  const auto id = static_cast<BufferId>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  LAB_ASSERT(static_cast<std::uint16_t>(id) < count_);
  State& state = state_[static_cast<std::uint16_t>(id)];
  LAB_ASSERT(state.kernel_writes);
  const std::uint32_t length = cqe.res > 0 ? static_cast<std::uint32_t>(cqe.res) : 0;
  const std::uint32_t offset = state.filled;
  LAB_ASSERT(offset + length <= size_);
  state.filled = offset + length;
  ++state.slices;
  if (!cqe.buffer_more()) {
    state.kernel_writes = false;
    --free_;
    unpoison(address(id), size_);
    while (!aside_.empty() && next_place_is_free()) {
      provide(aside_.back());
      aside_.pop_back();
    }
  } else {
    unpoison(address(id) + offset, length);
  }
  return {*this, id, offset, length};
}

// CQEs need not come in the order in which their buffers were taken: that of an operation that ends
// is posted last. So a buffer may be back before the CQE of one that was provided long before it;
// and a bundle's CQE is only understood together with the entries of its buffers.
bool BufferRing::next_place_is_free() const noexcept {
  const unsigned place = entries_->tail & (count_ - 1);
  const State& last = state_[entry_at(place).bid];
  return !last.kernel_writes || last.place != place;
}

void BufferRing::take_home(BufferId id) noexcept {
  poison(address(id), size_);
  if (next_place_is_free()) {
    provide(id);
  } else {
    aside_.push_back(id);
  }
}

void BufferRing::provide(BufferId id) noexcept {
  state_[static_cast<std::uint16_t>(id)] = {
      .place = static_cast<std::uint16_t>(entries_->tail & (count_ - 1)), .kernel_writes = true};
  io_uring_buf_ring_add(entries_, address(id), size_, static_cast<std::uint16_t>(id),
                        io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(entries_, 1);
  ++free_;
}

// A slice is gone. The buffer goes home with the last one, unless the kernel goes on writing into
// it.
void BufferRing::give_back(BufferId id) noexcept {
  State& state = state_[static_cast<std::uint16_t>(id)];
  LAB_ASSERT(state.slices > 0);
  if (--state.slices == 0 && !state.kernel_writes) take_home(id);
}

}  // namespace lab
