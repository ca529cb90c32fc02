// shows: 01-01's NOP without liburing: two system calls, two mmaps, and four counters
// needs: Linux 5.4 (both queues in one mapping)
// try:   ./lab run 01-02 9; then ask set_up for 3 entries and see which places are used
#include <liburing/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>

#include "01-core/lesson.hpp"

// liburing/io_uring.h is a copy of the kernel's <linux/io_uring.h>: types and numbers, no function.

namespace {

// The kernel reads and writes this memory while the program runs, so what one side writes for the
// other goes through an atomic_ref.
using Shared = std::atomic_ref<unsigned>;

// [walk ring]
struct Ring {
  int fd;
  std::byte* memory;  // both queues' counters, the array, the CQEs
  std::size_t memory_size;
  io_uring_sqe* sqes;  // a mapping of their own
  std::size_t sqes_size;
  io_uring_params params;

  // The kernel says at which offset each field lies.
  unsigned& field(unsigned offset) { return *reinterpret_cast<unsigned*>(memory + offset); }
  io_uring_cqe* cqes() { return reinterpret_cast<io_uring_cqe*>(memory + params.cq_off.cqes); }
};
// [/walk]

void* map(int fd, std::size_t size, unsigned long long what) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                       static_cast<off_t>(what));
  if (address == MAP_FAILED) lab::need_errno(-1, "mmap");
  return address;
}

// [walk set-up]
// liburing: io_uring_queue_init().
Ring set_up(unsigned entries) {
  Ring ring{};
  ring.fd = static_cast<int>(syscall(__NR_io_uring_setup, entries, &ring.params));
  lab::need_errno(ring.fd, "io_uring_setup");
  const io_uring_params& params = ring.params;
  if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0) lab::skip("needs Linux 5.4: one mapping");

  const std::size_t end_of_sq = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  const std::size_t end_of_cq = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  ring.memory_size = std::max(end_of_sq, end_of_cq);
  ring.memory = static_cast<std::byte*>(map(ring.fd, ring.memory_size, IORING_OFF_SQ_RING));
  ring.sqes_size = params.sq_entries * sizeof(io_uring_sqe);
  ring.sqes = static_cast<io_uring_sqe*>(map(ring.fd, ring.sqes_size, IORING_OFF_SQES));
  return ring;
}
// [/walk]

// [walk write]
// liburing: io_uring_get_sqe(), io_uring_prep_nop(), and the first half of io_uring_submit().
void write_nop(Ring& ring, unsigned long long user_data) {
  const io_sqring_offsets& offsets = ring.params.sq_off;
  const unsigned tail = ring.field(offsets.tail);
  const unsigned place = tail & ring.field(offsets.ring_mask);
  ring.sqes[place] = {};
  ring.sqes[place].opcode = IORING_OP_NOP;
  ring.sqes[place].user_data = user_data;
  (&ring.field(offsets.array))[place] = place;  // entry n of the queue names SQE n

  // Release: whoever sees the new tail also sees the finished SQE.
  Shared(ring.field(offsets.tail)).store(tail + 1, std::memory_order_release);
  std::printf("SQE in place %u, ", place);
}
// [/walk]

// [walk enter]
// liburing: the second half of io_uring_submit(), and the waiting of io_uring_wait_cqe().
int submit_and_wait(Ring& ring) {
  return static_cast<int>(
      syscall(__NR_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0));
}
// [/walk]

// [walk read]
// liburing: the rest of io_uring_wait_cqe(), and io_uring_cqe_seen().
void read_answer(Ring& ring) {
  const io_cqring_offsets& offsets = ring.params.cq_off;
  const unsigned head = ring.field(offsets.head);

  // Acquire: if we see the new tail, we also see the finished CQE.
  const unsigned tail = Shared(ring.field(offsets.tail)).load(std::memory_order_acquire);
  if (head == tail) lab::fail("no CQE: head and tail are both " + std::to_string(head));
  const io_uring_cqe& cqe = ring.cqes()[head & ring.field(offsets.ring_mask)];
  std::printf("user_data %llu, res %d\n", cqe.user_data, cqe.res);

  // Release: the kernel may overwrite this CQE from now on, and we have read it.
  Shared(ring.field(offsets.head)).store(head + 1, std::memory_order_release);
}
// [/walk]

// liburing: io_uring_queue_exit().
void tear_down(Ring& ring) {
  munmap(ring.sqes, ring.sqes_size);
  munmap(ring.memory, ring.memory_size);
  close(ring.fd);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: how many NOPs (default 3)");
  const long count = lesson.argument(1, 3, 1, 1000);
  Ring ring = set_up(2);
  for (long index = 0; index < count; ++index) {
    write_nop(ring, static_cast<unsigned long long>(42 + index));
    const int submitted = lab::need_errno(submit_and_wait(ring), "io_uring_enter");
    std::printf("submitted %d, ", submitted);
    read_answer(ring);
  }
  tear_down(ring);
  return lab::ok();
}
