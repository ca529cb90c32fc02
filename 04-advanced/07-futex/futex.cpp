// shows: a queue between two threads whose rings sleep on a futex
// needs: Linux 6.7
// try:   ./lab run 04-07; then make the queue 1 place long, and see how often they sleep
#include <liburing.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

// FUTEX2_SIZE_U32 | FUTEX2_PRIVATE: a word of 32 bits, which only this process uses. Debian 12's
// headers do not have the names.
constexpr std::uint32_t futex_kind = 2 | 128;

constexpr unsigned places = 8;
constexpr unsigned numbers = 1000;

// [walk queue]
// One thread pushes, one pops. Each counter is also a futex: the other side sleeps until it moves.
struct Queue {
  std::array<unsigned, places> items{};
  std::atomic<std::uint32_t> pushed{0};
  std::atomic<std::uint32_t> popped{0};
};
// [/walk]

struct Side {
  io_uring ring{};
  unsigned waits = 0;
  unsigned too_late = 0;  // waits that found the value changed already
};

std::uint32_t* word(std::atomic<std::uint32_t>& futex) {
  static_assert(sizeof futex == sizeof(std::uint32_t));
  return reinterpret_cast<std::uint32_t*>(&futex);
}

// [walk wait]
// Sleeps, but only while the futex has the value `seen`. The kernel compares it and enters us into
// its list in one step, so no wake-up can fall between our look and our sleep.
void prepare_wait(io_uring& ring, std::atomic<std::uint32_t>& futex, std::uint32_t seen) {
  io_uring_prep_futex_wait(io_uring_get_sqe(&ring), word(futex), seen, FUTEX_BITSET_MATCH_ANY,
                           futex_kind, 0);
}
// [/walk]

// [walk wake]
io_uring_sqe* prepare_wake(io_uring& ring, std::atomic<std::uint32_t>& futex) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_futex_wake(sqe, word(futex), 1, FUTEX_BITSET_MATCH_ANY, futex_kind, 0);
  return sqe;
}
// [/walk]

// The next result; -ETIME when none comes within the milliseconds.
int next_res(io_uring& ring, int milliseconds = 5000) {
  __kernel_timespec patience{.tv_sec = milliseconds / 1000,
                             .tv_nsec = milliseconds % 1000 * 1'000'000};
  io_uring_cqe* cqe = nullptr;
  const int waited = io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &patience, nullptr);
  // When it submitted something, it returns how much, and a timeout shows only in the pointer.
  if (cqe == nullptr && (waited >= 0 || waited == -ETIME)) return -ETIME;
  lab::need(waited, "io_uring_submit_and_wait_timeout");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

void show_rules(io_uring& here, io_uring& there) {
  std::atomic<std::uint32_t> futex{0};
  prepare_wake(here, futex);
  const int woken = next_res(here);
  if (woken == -EINVAL) lab::skip("needs Linux 6.7: the operations FUTEX_WAIT and FUTEX_WAKE");
  std::printf("a wake, and nobody waits: res %d\n", woken);

  // [walk late]
  // Between our look and our wait the other side changes the value, and wakes nobody.
  const std::uint32_t seen = futex;
  futex = 1;
  prepare_wake(here, futex);
  lab::need(next_res(here), "FUTEX_WAKE");
  prepare_wait(there, futex, seen);
  const int late = next_res(there, 100);
  if (late == -ETIME) lab::fail("asleep, and the wake-up is over");
  std::printf("a wait that comes after the change: %s\n", std::strerror(-late));
  // [/walk]

  prepare_wait(there, futex, 1);
  lab::need(io_uring_submit(&there), "io_uring_submit");
  prepare_wake(here, futex);
  std::printf("a wait, then a wake: woken %d, ", next_res(here));
  std::printf("the wait's res %d\n", next_res(there));

  prepare_wait(there, futex, 1);
  lab::need(io_uring_submit(&there), "io_uring_submit");
  std::printf("a wait, then the system call futex(): woken %ld, ",
              syscall(SYS_futex, word(futex), FUTEX_WAKE_PRIVATE, 1));
  std::printf("the wait's res %d\n", next_res(there));
}

// [walk change]
// Afterwards the caller looks again: EAGAIN says only that the value is another one by now.
void wait_for_change(Side& side, std::atomic<std::uint32_t>& futex, std::uint32_t seen) {
  prepare_wait(side.ring, futex, seen);
  ++side.waits;
  const int res = next_res(side.ring);
  if (res == -EAGAIN) ++side.too_late;
  if (res != -EAGAIN) lab::need(res, "FUTEX_WAIT");
}
// [/walk]

// [walk move]
void move_and_wake(Side& side, std::atomic<std::uint32_t>& futex) {
  ++futex;  // first the value, then the wake-up: the one who wakes up must see it
  prepare_wake(side.ring, futex)->flags |= IOSQE_CQE_SKIP_SUCCESS;
  lab::need(io_uring_submit(&side.ring), "io_uring_submit");
}
// [/walk]

void push(Side& side, Queue& queue, unsigned item) {
  std::uint32_t seen = queue.popped;
  while (queue.pushed - seen == places) {  // full
    wait_for_change(side, queue.popped, seen);
    seen = queue.popped;
  }
  queue.items[queue.pushed % places] = item;
  move_and_wake(side, queue.pushed);
}

// [walk pop]
unsigned pop(Side& side, Queue& queue) {
  std::uint32_t seen = queue.pushed;
  while (seen == queue.popped) {  // empty
    wait_for_change(side, queue.pushed, seen);
    seen = queue.pushed;
  }
  const unsigned item = queue.items[queue.popped % places];
  move_and_wake(side, queue.popped);
  return item;
}
// [/walk]

void show_queue(Side& producer, Side& consumer) {
  Queue queue;
  unsigned sum = 0;
  std::thread thread([&] {
    for (unsigned count = 0; count < numbers; ++count) sum += pop(consumer, queue);
  });
  for (unsigned number = 1; number <= numbers; ++number) push(producer, queue, number);
  thread.join();
  std::printf("%u numbers through %u places: their sum is %u\n", numbers, places, sum);
  std::printf("# the producer waited %u times, %u of them too late\n", producer.waits,
              producer.too_late);
  std::printf("# the consumer waited %u times, %u of them too late\n", consumer.waits,
              consumer.too_late);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Side producer, consumer;
  lab::need(io_uring_queue_init(8, &producer.ring, 0), "io_uring_queue_init");
  lab::need(io_uring_queue_init(8, &consumer.ring, 0), "io_uring_queue_init");
  lesson.watch(consumer.ring);

  show_rules(producer.ring, consumer.ring);
  show_queue(producer, consumer);

  io_uring_queue_exit(&consumer.ring);
  io_uring_queue_exit(&producer.ring);
  return lab::ok();
}
