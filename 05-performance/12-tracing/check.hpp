// Starts three stuck programs, shows the fdinfo of each, and judges what was concluded from it.
// Nobody edits this file; reading it tells the causes.
#pragma once

#include <liburing.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"
#include "05-performance/lib/trace.hpp"

namespace exercise {

enum class Cause {
  unknown,
  nothing_published,  ///< SQEs may have been prepared; none was ever submitted
  not_taken,          ///< SQEs were published, and the kernel does not take them
  not_read,           ///< CQEs are there, and the program does not read them
  overflowed,         ///< more CQEs than the CQ has places
  nothing_arrives,    ///< requests wait for a file that does not become ready
};

struct Answer {
  Cause cause = Cause::unknown;
  unsigned how_many = 0;  ///< of the SQEs, CQEs or requests that the cause names
};

using Answers = std::array<Answer, 3>;

namespace detail {

inline void sleep_ms(int count) { std::this_thread::sleep_for(std::chrono::milliseconds(count)); }

inline void nops(io_uring& ring, int count) {
  for (int i = 0; i < count; ++i) io_uring_prep_nop(io_uring_get_sqe(&ring));
  lab::need(io_uring_submit_and_wait(&ring, static_cast<unsigned>(count)), "submit");
  io_uring_cq_advance(&ring, static_cast<unsigned>(count));
}

[[noreturn]] inline void first_program() {
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  nops(ring, 5);
  for (int i = 0; i < 8; ++i) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    if (i == 3) sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  }
  lab::need(io_uring_submit_and_wait(&ring, 8), "io_uring_submit_and_wait");
  _exit(1);
}

[[noreturn]] inline void second_program() {
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  nops(ring, 6);
  static std::array<char, 16> buffer;
  for (int i = 0; i < 3; ++i) {
    std::array<int, 2> ends{};
    lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), "socketpair");
    io_uring_prep_recv(io_uring_get_sqe(&ring), ends[0], buffer.data(), buffer.size(), 0);
  }
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  _exit(1);
}

[[noreturn]] inline void third_program() {
  io_uring ring;
  io_uring_params params{};
  params.flags = IORING_SETUP_SQPOLL;
  params.sq_thread_idle = 1;
  lab::need(io_uring_queue_init_params(8, &ring, &params), "io_uring_queue_init_params");
  nops(ring, 4);
  for (;; nops(ring, 4)) {
    while ((IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_NEED_WAKEUP) == 0) sleep_ms(1);
    sleep_ms(50);  // it has said that it will sleep; now it does
    for (int i = 0; i < 5; ++i) io_uring_prep_nop(io_uring_get_sqe(&ring));
    io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);
    sleep_ms(50);
    if (io_uring_cq_ready(&ring) == 0) break;
    // On a busy machine it was still awake, and took them. Once more.
    while (io_uring_cq_ready(&ring) < 5) sleep_ms(1);
    io_uring_cq_advance(&ring, 5);
  }
  for (;;) pause();
}

inline bool is_stuck(int program, const lab::RingState& state) {
  if (!state.complete) return false;
  if (program == 0) return state.unread() == 7;
  if (program == 1) return state.polls.size() == 3;
  return state.published() == 5;
}

/// The ring's part of the fdinfo; empty while the ring's lock is taken.
inline std::string ring_part(pid_t pid, int fd) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/fdinfo/" + std::to_string(fd));
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool ours = line.starts_with("Sq") || line.starts_with("Cq") || line.starts_with("Poll");
    if (ours || line.starts_with(' ')) text += line + "\n";
  }
  return text;
}

inline void show(int program, pid_t pid, int fd) {
  std::string text;
  while (text.empty()) text = ring_part(pid, fd);
  std::printf("\nprogram %d:\n%s", program + 1, text.c_str());
}

/// Runs one of the programs until it is stuck, shows it, and ends it.
inline void run(int program) {
  const pid_t child = fork();
  lab::need_errno(child, "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (program == 0) first_program();
    if (program == 1) second_program();
    third_program();
  }
  for (;;) {
    const lab::Trace trace(child);
    if (!trace.rings().empty() && is_stuck(program, trace.read(trace.rings()[0]))) {
      show(program, child, trace.rings()[0]);
      break;
    }
    if (waitpid(child, nullptr, WNOHANG) == child) lab::fail("a program ended before it was stuck");
    sleep_ms(5);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

/// What the right answer is.
inline Answer answer_of(int program) {
  constexpr Answers right{{{.cause = Cause::not_read, .how_many = 7},
                           {.cause = Cause::nothing_arrives, .how_many = 3},
                           {.cause = Cause::not_taken, .how_many = 5}}};
  return right.at(static_cast<std::size_t>(program));
}

inline void judge(int program, Answer given) {
  const std::string name = "program " + std::to_string(program + 1) + ": ";
  const Answer right = answer_of(program);
  if (given.cause == Cause::unknown) {
    lab::fail(name + "no cause given", "its fdinfo is above; name it in mine.cpp");
  }
  if (given.cause != right.cause) {
    lab::fail(name + "that is not what its fdinfo says",
              "for each queue, is the head where the tail is? Then look at the lists");
  }
  if (given.how_many != right.how_many) {
    lab::fail(name + "the cause is right, " + std::to_string(given.how_many) + " is not how many",
              "heads and tails have counted from the beginning: a difference tells how many");
  }
}

}  // namespace detail

inline int judge(const Answers& answers) {
  for (int program = 0; program < 3; ++program) detail::run(program);
  std::printf("\n");
  for (std::size_t program = 0; program < 3; ++program) {
    detail::judge(static_cast<int>(program), answers.at(program));
  }
  return lab::ok();
}

}  // namespace exercise
