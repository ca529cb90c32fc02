// shows: a supervisor that learns from its ring how its children died, and starts them again
// needs: Linux 6.7
// try:   ./lab run 04-08; then ./lab run 04-08 pidfd_poll, which does it on older kernels
#include <fcntl.h>
#include <liburing.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"

namespace {

// [walk worker]
struct Worker {
  int number = 0;
  pid_t pid = -1;
  int orders = -1;  // our end of its pipe: it exits with the code that it reads
  siginfo_t end{};  // the kernel writes here when the worker dies, so this lives until the CQE
};
// [/walk]

// [walk work]
[[noreturn]] void work(const io_uring& ring, int orders) {
  close(ring.ring_fd);  // a copy, and it would keep the ring alive after the supervisor's death
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // or it would wait forever when the supervisor has died
  unsigned char code = 1;
  if (read(orders, &code, 1) < 0) code = 1;
  _exit(code);  // not exit(): what is behind atexit() belongs to the supervisor
}
// [/walk]

void start(const io_uring& ring, Worker& worker) {
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  worker.pid = lab::need_errno(fork(), "fork");
  if (worker.pid == 0) work(ring, ends[0]);
  close(ends[0]);
  if (worker.orders >= 0) close(worker.orders);
  worker.orders = ends[1];
}

// [walk watch]
// One SQE is one death. When the worker is started again, this has to be armed again.
void watch(io_uring& ring, Worker& worker) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_waitid(sqe, P_PID, static_cast<id_t>(worker.pid), &worker.end, WEXITED, 0);
  io_uring_sqe_set_data(sqe, &worker);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

// [walk death]
Worker& next_death(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  auto& worker = *static_cast<Worker*>(io_uring_cqe_get_data(cqe));
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  if (res == -EINVAL) lab::skip("needs Linux 6.7: the operation WAITID");

  // 0 says only that it is over. How it ended is in the siginfo_t.
  std::printf("worker %d: ", worker.number);
  if (res < 0) {
    std::printf("%s\n", std::strerror(-res));
  } else if (worker.end.si_code == CLD_EXITED) {
    std::printf("exited with code %d\n", worker.end.si_status);
  } else {
    std::printf("ended by signal %d (%s)\n", worker.end.si_status, strsignal(worker.end.si_status));
  }
  return worker;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  // The children are no users of the ring: its memory is not for them.
  lab::need(io_uring_ring_dontfork(&ring), "io_uring_ring_dontfork");

  Worker workers[3]{{.number = 0}, {.number = 1}, {.number = 2}};
  for (Worker& worker : workers) {
    start(ring, worker);
    watch(ring, worker);
  }

  // [walk restart]
  lab::need_errno(dprintf(workers[1].orders, "%c", 3), "dprintf");
  Worker& failed = next_death(ring);
  std::printf("  waitpid then says: %s\n",
              waitpid(failed.pid, nullptr, 0) < 0 ? std::strerror(errno) : "reaped");
  start(ring, failed);
  watch(ring, failed);
  // [/walk]

  lab::need_errno(kill(workers[2].pid, SIGKILL), "kill");
  Worker& killed = next_death(ring);
  start(ring, killed);

  // [walk late]
  // It dies before anybody asks. WNOWAIT waits for that, and leaves the status where it is.
  lab::need_errno(dprintf(killed.orders, "%c", 7), "dprintf");
  siginfo_t unused{};
  waitid(P_PID, static_cast<id_t>(killed.pid), &unused, WEXITED | WNOWAIT);
  watch(ring, killed);
  std::printf("asked after its death, the answer is there at once: %s\n",
              io_uring_cq_ready(&ring) == 1 ? "yes" : "no");
  next_death(ring);
  // [/walk]

  Worker stranger{.number = 9, .pid = 1};
  watch(ring, stranger);
  std::printf("process 1 is not our child; ");
  next_death(ring);

  // The end: the two that still run are stopped, and their deaths are collected like any other.
  for (const int number : {0, 1}) {
    lab::need_errno(kill(workers[number].pid, SIGTERM), "kill");
    next_death(ring);
  }
  for (const Worker& worker : workers) close(worker.orders);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
