// Judges the exercise. The learner's code runs in a child process, and this process stops it at
// every system call, as strace does: so the calls that hand over SQEs are really counted.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <thread>

#include "01-core/lesson.hpp"

namespace check {

inline constexpr int jobs_count = 64;

struct Job {
  int fd = -1;          // read from here ...
  char buffer[128];     // ... into this
  int bytes_read = -1;  // and note here what the kernel answered
};

using Jobs = std::array<Job, jobs_count>;
using ReadAll = void (*)(io_uring& ring, Jobs& jobs);

// Pipe `index` gets index + 1 bytes, the last pipe first, after the reads have begun to wait.
inline void feed(const std::array<int, jobs_count>& write_ends) {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const char bytes[jobs_count] = {};
  for (int index = jobs_count - 1; index >= 0; --index) {
    const auto size = static_cast<std::size_t>(index + 1);
    if (write(write_ends[static_cast<std::size_t>(index)], bytes, size) < 0) std::_Exit(1);
  }
}

// The child: runs the learner's code between two stops, then looks at what every job got.
inline void learner(int argc, char** argv, ReadAll read_all) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(jobs_count, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Jobs jobs;
  std::array<int, jobs_count> write_ends;
  for (std::size_t index = 0; index < jobs_count; ++index) {
    int ends[2];
    lab::need_errno(pipe(ends), "pipe");
    jobs[index].fd = ends[0];
    write_ends[index] = ends[1];
  }
  std::thread feeder(feed, write_ends);

  raise(SIGSTOP);
  read_all(ring, jobs);
  raise(SIGSTOP);

  feeder.join();
  for (std::size_t index = 0; index < jobs_count; ++index) {
    const int expected = static_cast<int>(index + 1);
    const int got = jobs[index].bytes_read;
    if (got == -1) lab::fail("job " + std::to_string(index) + " has no answer");
    if (got != expected) {
      lab::fail("job " + std::to_string(index) + " noted " + std::to_string(got) +
                    " bytes, its pipe held " + std::to_string(expected),
                "answers come in any order: user_data says which job it is (YOUR TURN 2)");
    }
    close(jobs[index].fd);
    close(write_ends[index]);
  }
  std::printf("every job has its own answer\n");
  io_uring_queue_exit(&ring);
}

// Runs the child to its next SIGSTOP and counts the io_uring_enter calls that submit something. The
// second argument of that call is the number of SQEs to take.
inline int count_submits(pid_t child) {
  int submits = 0;
  int signal_to_pass = 0;
  while (ptrace(PTRACE_SYSCALL, child, nullptr, signal_to_pass) == 0) {
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) std::exit(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) lab::fail("the exercise was ended by a signal");
    signal_to_pass = 0;
    if (WSTOPSIG(status) == SIGSTOP) return submits;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal_to_pass = WSTOPSIG(status);
      continue;
    }
    __ptrace_syscall_info call{};
    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof call, &call);
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY || call.entry.nr != __NR_io_uring_enter) continue;
    if (call.entry.args[1] > 0) ++submits;
  }
  lab::fail("the exercise could not be watched");
}

inline int judge(int argc, char** argv, ReadAll read_all) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const pid_t child = lab::need_errno(fork(), "fork");
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      lab::skip("ptrace is not allowed here, so system calls cannot be counted");
    }
    learner(argc, argv, read_all);
    std::exit(0);
  }

  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  const int submits = count_submits(child);
  ptrace(PTRACE_DETACH, child, nullptr, nullptr);
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) lab::fail("the exercise was ended by a signal");
  if (WEXITSTATUS(status) != 0) return WEXITSTATUS(status);

  std::printf("system calls that submitted: %d, for %d reads\n", submits, jobs_count);
  if (submits != 1) {
    lab::fail("one system call can submit them all, this took " + std::to_string(submits),
              "fill all the SQEs first, and submit once (YOUR TURN 1)");
  }
  return lab::ok();
}

}  // namespace check
