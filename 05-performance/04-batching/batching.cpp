// shows: what 1 to 64 SQEs a submit and 1 to 64 CQEs a wait save, and what they cost in latency
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN)
// try:   ./lab run 05-04; then make pace_ns 100'000, and see what becomes of both panels
#include <fcntl.h>
#include <liburing.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr std::array<unsigned, 7> batches = {1, 2, 4, 8, 16, 32, 64};
constexpr unsigned block_size = 4096;
constexpr unsigned message_count = 250;
constexpr double pace_ns = 10'000;

enum class Operation { nop, read };

// [walk submit]
// A batch is done when all of it is done: so the batch's time is the latency of its first request.
lab::Round submit_in_batches(io_uring& ring, unsigned batch, Operation operation, int fd) {
  static std::array<char, block_size> block;
  constexpr unsigned count = 640;
  const double begin = lab::clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (unsigned done = 0; done < count; done += batch) {
    for (unsigned i = 0; i < batch; ++i) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring);
      if (operation == Operation::nop) io_uring_prep_nop(sqe);
      if (operation == Operation::read) io_uring_prep_read(sqe, fd, block.data(), block_size, 0);
    }
    lab::need(io_uring_submit_and_wait(&ring, batch), "io_uring_submit_and_wait");
    if (io_uring_cq_ready(&ring) != batch) lab::fail("a batch is not done");
    io_uring_cq_advance(&ring, batch);
  }
  const double spent = lab::clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
  return {count, spent / 1000 / (count / batch)};
}
// [/walk]

// [walk sender]
// Another process: it sends a message to the ring every pace_ns, with the time as its user_data.
// So its CPU time is not in our figures.
void send_messages(int start, int target) {
  io_uring ring;
  if (io_uring_queue_init(8, &ring, 0) < 0) _exit(1);
  for (char byte = 0; read(start, &byte, 1) == 1;) {
    double due = lab::clock_ns(CLOCK_MONOTONIC);
    for (unsigned sent = 0; sent < message_count; ++sent) {
      double now = 0;
      while ((now = lab::clock_ns(CLOCK_MONOTONIC)) < due) {
      }
      due = now + pace_ns;
      io_uring_sqe* sqe = io_uring_get_sqe(&ring);
      io_uring_prep_msg_ring(sqe, target, 0, static_cast<std::uint64_t>(now), 0);
      if (io_uring_submit_and_wait(&ring, 1) != 1) _exit(1);
      io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
    }
  }
  _exit(0);
}
// [/walk]

struct Sum {
  unsigned waits = 0;
  unsigned rounds = 0;
};

lab::Round wait_in_batches(io_uring& ring, int start, unsigned batch, Sum& sum) {
  lab::need_errno(static_cast<int>(write(start, "s", 1)), "write");
  double latency_ns = 0;
  // [walk wait]
  for (unsigned taken = 0; taken < message_count;) {
    io_uring_cqe* cqe = nullptr;
    const unsigned still_to_come = message_count - taken;
    lab::need(io_uring_wait_cqe_nr(&ring, &cqe, std::min(batch, still_to_come)),
              "io_uring_wait_cqe_nr");
    ++sum.waits;
    const double now = lab::clock_ns(CLOCK_MONOTONIC);
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      latency_ns += now - static_cast<double>(cqe->user_data);
      ++seen;
    }
    io_uring_cq_advance(&ring, seen);
    taken += seen;
  }
  // [/walk]
  ++sum.rounds;
  return {message_count, latency_ns / 1000 / message_count};
}

void measure_submits(const lab::Lesson& lesson, io_uring& ring) {
  const std::string path = lab::temporary_folder() + "/block";
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(ftruncate(fd, block_size), "ftruncate");
  lab::Knob knob(lesson, {.name = "submit",
                          .title = "SQEs a submit: NOPs, and reads of 4 KiB from the page cache",
                          .operation = "operation",
                          .sweep = "SQEs a submit",
                          .extra = "us until a batch is done"});
  for (const unsigned batch : batches) {
    knob.add(
        "NOP", [&ring, batch] { return submit_in_batches(ring, batch, Operation::nop, -1); },
        batch);
  }
  for (const unsigned batch : batches) {
    knob.add(
        "read", [&, batch] { return submit_in_batches(ring, batch, Operation::read, fd); }, batch);
  }
  knob.run();
  const double one = knob.extra("NOP", 1);
  const double many = knob.extra("NOP", 64);
  const std::string measured = lab::figure(many / one, "times as long as one alone");
  lab::effect(many < 64 * one / 2, "64 NOPs in one batch take less than half of 64 alone",
              measured);
  lab::effect(many > 1.5 * one, "but the first of them has to wait longer than alone", measured);
  close(fd);
}

void measure_waits(const lab::Lesson& lesson, io_uring& ring, int start) {
  std::array<Sum, batches.size()> sums;
  lab::Knob knob(lesson, {.name = "wait",
                          .title = "CQEs a wait: a message every 10 us from another process",
                          .operation = "message",
                          .sweep = "CQEs a wait",
                          .extra = "mean age, us"});
  for (std::size_t i = 0; i < batches.size(); ++i) {
    knob.add(
        "waiting", [&, i] { return wait_in_batches(ring, start, batches[i], sums[i]); },
        batches[i]);
  }
  knob.run();
  std::printf("64 CQEs a wait: at most 4 waits for 250 messages: %s\n",
              sums[6].waits <= 4 * sums[6].rounds ? "yes" : "no");
  std::printf("and a message is 250 us old or more, on average: %s\n",
              knob.extra("waiting", 64) > 250 ? "yes" : "no");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  io_uring ring;
  const int made =
      io_uring_queue_init(128, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init");
  lesson.watch(ring);
  int start[2];
  lab::need_errno(pipe2(start, O_CLOEXEC), "pipe2");
  const pid_t sender = lab::need_errno(fork(), "fork");
  if (sender == 0) {
    close(start[1]);
    send_messages(start[0], ring.ring_fd);
  }
  close(start[0]);

  measure_waits(lesson, ring, start[1]);
  measure_submits(lesson, ring);

  close(start[1]);
  waitpid(sender, nullptr, 0);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
