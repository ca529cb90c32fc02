// shows: the same without WAITID: a descriptor of the child, and a poll on it
// needs: Linux 5.3
// try:   ./lab run 04-08 pidfd_poll
#include <liburing.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "01-core/lesson.hpp"

namespace {

pid_t start_worker(const io_uring& ring) {
  const pid_t pid = lab::need_errno(fork(), "fork");
  if (pid != 0) return pid;
  close(ring.ring_fd);  // a copy, and it would keep the ring alive after the supervisor's death
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (true) pause();
}

// 'S' asleep, 'Z' dead and not yet reaped. proc(5)
char state(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? '-' : line.at(name_end + 2);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  lab::need(io_uring_ring_dontfork(&ring), "io_uring_ring_dontfork");

  // No race with a new process of the same number: a child's number stays taken until it is reaped.
  const pid_t pid = start_worker(ring);
  // [walk poll]
  const int pidfd =
      lab::need_errno(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)), "pidfd_open");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_add(sqe, pidfd, POLLIN);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  // [/walk]

  lab::need_errno(kill(pid, SIGKILL), "kill");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  std::printf("the pidfd is readable: %s\n", (cqe->res & POLLIN) != 0 ? "yes" : "no");
  io_uring_cqe_seen(&ring, cqe);

  // The poll says that it is over, and no more. The status is still there, and so is the zombie.
  std::printf("the worker's state: %c\n", state(pid));
  siginfo_t end{};
  lab::need_errno(waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED), "waitid");
  std::printf("waitid: ended by signal %d (%s)\n", end.si_status, strsignal(end.si_status));
  std::printf("its state after that: %c\n", state(pid));

  close(pidfd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
