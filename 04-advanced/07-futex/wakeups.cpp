// shows: four ways to wake a thread that sleeps on its ring, and what each costs
// needs: Linux 6.1; the futex: 6.7; the message without a ring: 6.13
// try:   ./lab run 04-07 wakeups; then make plain rings without DEFER_TASKRUN, and compare
#include <liburing.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <future>
#include <thread>
#include <vector>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

enum class Way { message, register_call, futex, eventfd };

constexpr Way ways[] = {Way::message, Way::register_call, Way::futex, Way::eventfd};
constexpr const char* names[] = {"MSG_RING", "message without a ring", "futex", "eventfd"};
constexpr std::uint32_t futex_kind = 2 | 128;  // FUTEX2_SIZE_U32 | FUTEX2_PRIVATE
constexpr double round_ns = 4e6;
cpu_set_t allowed;  // the processors that this process may use

double now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// The calling thread on one processor, so that the scheduler's choice is not measured.
void stay_on(unsigned number) {
  cpu_set_t one{};
  for (unsigned cpu = 0, index = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && index++ == number) CPU_SET(cpu, &one);
  if (CPU_COUNT(&one) == 1) sched_setaffinity(0, sizeof one, &one);
}

// One thread and what it sleeps on. Nobody copies it: std::atomic forbids that.
struct End {
  io_uring ring{};
  int event_fd = -1;
  eventfd_t event_count = 0;  // the kernel writes here
  std::atomic<std::uint32_t> futex{0};
  std::uint32_t seen = 0;

  End() {
    const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    lab::need(io_uring_queue_init(8, &ring, flags), "io_uring_queue_init");
    event_fd = lab::need_errno(eventfd(0, EFD_CLOEXEC), "eventfd");
  }
  ~End() {
    io_uring_queue_exit(&ring);
    close(event_fd);
  }
};

// Messages need no request of the sleeper's: only that it waits for a CQE.
void arm(End& self, Way way) {
  if (way == Way::message || way == Way::register_call) return;
  io_uring_sqe* sqe = io_uring_get_sqe(&self.ring);
  if (way == Way::eventfd) io_uring_prep_read(sqe, self.event_fd, &self.event_count, 8, 0);
  if (way == Way::futex) {
    io_uring_prep_futex_wait(sqe, reinterpret_cast<std::uint32_t*>(&self.futex), self.seen,
                             FUTEX_BITSET_MATCH_ANY, futex_kind, 0);
  }
}

// The register call takes the SQE itself. The caller needs no ring.
int message_without_ring(int ring_fd) {
  io_uring_sqe sqe{};
  io_uring_prep_msg_ring(&sqe, ring_fd, 0, 0, 0);
  return io_uring_register(~0U, lab::compat::register_send_msg_ring, &sqe, 1);
}

// [walk wake]
// Requests are only prepared here: the sleep that follows submits them with the same system call.
void wake(End& self, End& other, Way way) {
  if (way == Way::register_call) {
    return void(lab::need(message_without_ring(other.ring.ring_fd), "SEND_MSG_RING"));
  }
  if (way == Way::eventfd) return void(lab::need_errno(eventfd_write(other.event_fd, 1), "write"));
  io_uring_sqe* sqe = io_uring_get_sqe(&self.ring);
  if (way == Way::message) io_uring_prep_msg_ring(sqe, other.ring.ring_fd, 0, 0, 0);
  if (way == Way::futex) {
    ++other.futex;
    io_uring_prep_futex_wake(sqe, reinterpret_cast<std::uint32_t*>(&other.futex), 1,
                             FUTEX_BITSET_MATCH_ANY, futex_kind, 0);
  }
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}
// [/walk]

void sleep(End& self) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&self.ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&self.ring, &cqe), "io_uring_peek_cqe");
  if (cqe->res != -EAGAIN) lab::need(cqe->res, "a wake-up");  // the futex had changed before
  io_uring_cqe_seen(&self.ring, cqe);
  self.seen = self.futex;
}

struct Cost {
  double ns, cpu_ns;
};

// Two threads wake each other in turn. Half a round trip is one wake-up.
Cost measure(Way way, unsigned processor) {
  std::promise<End*> made;
  std::atomic<bool> over{false};
  End here;
  std::thread thread([&] {
    stay_on(processor);
    End there;
    arm(there, way);
    made.set_value(&there);
    for (sleep(there); !over; sleep(there)) {
      arm(there, way);
      wake(there, here, way);
    }
  });
  End& there = *made.get_future().get();
  const double begin = now_ns(CLOCK_MONOTONIC);
  const double cpu_begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  int wakeups = 0;
  do {
    arm(here, way);
    wake(here, there, way);
    sleep(here);
    wakeups += 2;
  } while (now_ns(CLOCK_MONOTONIC) - begin < round_ns);
  const double ns = now_ns(CLOCK_MONOTONIC) - begin;
  const double cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
  over = true;
  wake(here, there, way);
  lab::need(io_uring_submit(&here.ring), "io_uring_submit");
  thread.join();
  return {ns / wakeups, cpu_ns / wakeups};
}

bool is_there(Way way) {
  End end;
  if (way == Way::register_call) return message_without_ring(end.ring.ring_fd) == 0;
  if (way != Way::futex) return true;
  wake(end, end, way);
  lab::need(io_uring_submit(&end.ring), "io_uring_submit");
  return io_uring_cq_ready(&end.ring) == 0;  // only a failure has a CQE
}

double median(std::vector<Cost> costs, double Cost::*field) {
  std::ranges::sort(costs, {}, field);
  return costs.at(costs.size() / 2).*field / 1e3;
}

void print(const char* name, const std::vector<Cost>& costs, unsigned processors) {
  const auto [least, most] = std::ranges::minmax_element(costs, {}, &Cost::ns);
  std::printf("# %u  %-22s %6.1f us a wake-up (rounds: %.1f to %.1f), %5.1f us of CPU\n",
              processors, name, median(costs, &Cost::ns), least->ns / 1e3, most->ns / 1e3,
              median(costs, &Cost::cpu_ns));
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[rounds]: how often each way is measured (default 5)");
  const long rounds = lesson.argument(1, 5, 3, 1000);
  lab::need_errno(sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
  stay_on(0);
  std::printf("# processors, way, median of %ld interleaved rounds\n", rounds);
  for (const unsigned processors : {2U, 1U}) {
    std::array<std::vector<Cost>, 4> costs;
    for (long round = 0; round <= rounds; ++round) {
      for (unsigned way = 0; way < 4; ++way) {
        if (!is_there(ways[way])) continue;
        const Cost cost = measure(ways[way], processors - 1);
        if (round != 0) costs[way].push_back(cost);  // the first round warms up
      }
    }
    for (unsigned way = 0; way < 4; ++way)
      if (!costs[way].empty()) print(names[way], costs[way], processors);
  }
  for (unsigned way = 0; way < 4; ++way) {
    if (is_there(ways[way]))
      std::printf("%s: no wake-up was lost\n", names[way]);
    else
      std::printf("skip %s: needs Linux %s\n", names[way],
                  ways[way] == Way::futex ? "6.7" : "6.13");
  }
  return lab::ok();
}
