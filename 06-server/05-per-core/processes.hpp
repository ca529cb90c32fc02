// Stage 5: one process for each core, each with a listener of its own on the same port, and a
// supervisor that starts a dead one again. The worker is that of stage 4, unchanged.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <vector>

#include "01-core/lesson.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/04-zero-copy/server.hpp"
#include "06-server/lib/process/listener_group.hpp"
#include "06-server/lib/process/restart_policy.hpp"

namespace stage {

// [walk processes]
// The listeners are here, in the supervisor: they stay while workers come and go.
class Processes {
 public:
  /// @throws std::exception: the port is taken, and the like
  Processes(const lab::ListenerGroup::Options& listeners, const Options& worker)
      : listeners_(listeners), worker_(worker), workers_(listeners.workers) {}
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  void start_all();
  /// Waits for the death of a worker, and starts the next one.
  void supervise_once();

  const lab::ListenerGroup& listeners() const noexcept { return listeners_; }
  pid_t pid(unsigned index) const noexcept { return workers_[index].pid; }

 private:
  struct Child {
    pid_t pid = -1;
    std::uint64_t start_ms = 0;
    lab::RestartPolicy restarts;
  };

  void start(unsigned index);
  [[noreturn]] void become_worker(unsigned index);

  lab::ListenerGroup listeners_;
  Options worker_;
  std::vector<Child> workers_;
};
// [/walk]

inline std::uint64_t now_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

// [walk start]
inline void Processes::start_all() {
  for (unsigned index = 0; index < workers_.size(); ++index) start(index);
}

inline void Processes::start(unsigned index) {
  workers_[index].start_ms = now_ms();
  workers_[index].pid = lab::need_errno(fork(), "fork");
  if (workers_[index].pid == 0) become_worker(index);
}

// Pinned first, so that the ring and all memory are made where they are used.
inline void Processes::become_worker(unsigned index) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive its supervisor
  for (unsigned other = 0; other < workers_.size(); ++other) {
    if (other != index && listeners_.of(other) != nullptr) close(listeners_.of(other)->fd());
  }
  lab::pin_to_cpu(listeners_.cpu(index));
  Worker worker(listeners_.of(index)->fd(), worker_);
  worker.run();
  _exit(0);  // no destructors and no flush of stdio: those are the supervisor's
}
// [/walk]

// [walk supervise]
inline void Processes::supervise_once() {
  const pid_t pid = lab::need_errno(waitpid(-1, nullptr, 0), "waitpid");
  for (unsigned index = 0; index < workers_.size(); ++index) {
    if (workers_[index].pid != pid) continue;
    workers_[index].pid = -1;
    // A worker that dies again and again must not fill a core: the pauses are 0, 0.1 s, 1 s, 5 s.
    const auto next = workers_[index].restarts.on_death(now_ms(), workers_[index].start_ms);
    usleep(static_cast<useconds_t>(next.pause_ms * 1000));
    start(index);
  }
}
// [/walk]

inline Processes::~Processes() {
  for (const Child& one : workers_) {
    if (one.pid <= 0) continue;
    kill(one.pid, SIGKILL);
    waitpid(one.pid, nullptr, 0);
  }
}

}  // namespace stage
