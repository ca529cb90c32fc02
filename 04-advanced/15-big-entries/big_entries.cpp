// shows: rings whose entries are twice as large, and how far apart the entries are
// needs: Linux 5.19; mixed sizes in one completion queue: Linux 6.18
// try:   ./lab run 04-15
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

void queue_nop(io_uring& ring, unsigned nop_flags, std::uint64_t user_data) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  sqe->nop_flags = nop_flags;
  io_uring_sqe_set_data64(sqe, user_data);
}

// The sizes are chosen when the ring is made, and hold for every entry in the queue.
void show_sizes(lab::Lesson& lesson, const char* name, unsigned flags) {
  io_uring ring;
  const int made = io_uring_queue_init(8, &ring, flags);
  if (made == -EINVAL) lab::skip(std::string("needs Linux 5.19: ") + name);
  lab::need(made, "io_uring_queue_init");
  lesson.watch(ring);

  // [walk sizes]
  const auto* first = reinterpret_cast<const std::byte*>(io_uring_get_sqe(&ring));
  const auto* second = reinterpret_cast<const std::byte*>(io_uring_get_sqe(&ring));
  std::printf("%s: SQEs stand %td bytes apart", name, second - first);
  ring.sq.sqe_tail = ring.sq.sqe_head;  // the two were only for measuring

  queue_nop(ring, 0, 1);
  queue_nop(ring, 0, 2);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  const std::byte* cqes[2]{};
  unsigned head = 0;
  io_uring_cqe* cqe = nullptr;
  int seen = 0;
  io_uring_for_each_cqe(&ring, head, cqe) cqes[seen++ & 1] = reinterpret_cast<std::byte*>(cqe);
  std::printf(", CQEs %td\n", cqes[1] - cqes[0]);
  // [/walk]
  io_uring_cq_advance(&ring, 2);
  io_uring_queue_exit(&ring);
}

// Each CQE says by a flag how large it is. A large one takes two places of the queue. liburing 2.9
// does not know this, so the places are walked by hand.
void show_mixed(lab::Lesson& lesson) {
  io_uring ring;
  // [walk make]
  const int made = io_uring_queue_init(8, &ring, lab::compat::setup_cqe_mixed);
  if (made == -EINVAL) {
    std::printf("skip mixed CQEs: needs Linux 6.18\n");
    return;
  }
  lab::need(made, "io_uring_queue_init");
  lesson.watch(ring);
  queue_nop(ring, 0, 1);
  queue_nop(ring, lab::compat::nop_cqe32, 2);
  queue_nop(ring, 0, 3);
  lab::need(io_uring_submit_and_wait(&ring, 3), "io_uring_submit_and_wait");
  // [/walk]

  // [walk walk-places]
  unsigned places = io_uring_cq_ready(&ring);
  std::printf("mixed: 3 answers in %u places\n", places);
  unsigned head = *ring.cq.khead;
  while (places > 0) {
    const io_uring_cqe& cqe = ring.cq.cqes[head & ring.cq.ring_mask];
    const unsigned size = (cqe.flags & lab::compat::cqe_f_32) != 0 ? 2 : 1;
    // A large CQE must not be cut by the end of the queue: the last place is then left empty.
    if ((cqe.flags & lab::compat::cqe_f_skip) == 0) {
      std::printf("user_data %llu: %u bytes\n", cqe.user_data, size * 16);
    }
    head += size;
    places -= size;
  }
  io_uring_cq_advance(&ring, head - *ring.cq.khead);
  // [/walk]
  io_uring_queue_exit(&ring);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  show_sizes(lesson, "default", 0);
  show_sizes(lesson, "SQE128", IORING_SETUP_SQE128);
  show_sizes(lesson, "CQE32", IORING_SETUP_CQE32);
  show_mixed(lesson);
  return lab::ok();
}
