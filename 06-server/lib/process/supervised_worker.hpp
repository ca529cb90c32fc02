// One worker as its supervisor knows it: its process, whether it lives, and how it ended.
//
// Lifetime: stays where it is while its operations are armed; it is used again for each process of
// this worker.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <utility>

#include "01-core/lib/ring.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/control.hpp"
#include "06-server/lib/engine/control_sender.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/process/restart_policy.hpp"
#include "06-server/lib/process/worker_process.hpp"

namespace lab {

/// Owner: on_worker_ready(worker), on_worker_refused(worker) with the reason in its report,
/// on_worker_exit(worker) when the process is reaped, on_worker_ended(worker) when its report has
/// come too, and restart_due() when one may be started that had to wait.
template <class Owner>
class SupervisedWorker {
 public:
  /// @param which its index, from 0
  SupervisedWorker(Owner& owner, Ring& ring, unsigned which)
      : index(which), owner_(owner), ring_(ring) {}

  /// REQUIRES: may_start(). @throws std::system_error
  void start(const WorkerMain& main, const WorkerContext& context, const ServerSignals& signals,
             unsigned drain_alarm_seconds) {
    ready_ = false;
    killed_ = false;
    drains_ = false;
    listener_passed_ = context.listener_passed;
    silent_ticks_ = 0;
    heartbeat_ = 0;
    start_ms_ = now_ms();
    stats_ = context.stats;
    (*stats_)[Stat::starts].add(1);
    process_ = WorkerProcess::start(main, context, signals, drain_alarm_seconds);
    exit_.start(ring_, process_.pidfd.get());
    read_report_.start(ring_, process_.control.get());
  }

  /// True from start() until its process was reaped.
  bool running() const noexcept { return process_.pid != -1; }
  /// True when it runs and has said that it is ready.
  bool serves() const noexcept { return running() && ready_; }
  /// True when its process was reaped and its last report has come.
  bool ended() const noexcept { return !running() && !end_due_; }
  /// Of its process, or of the latest one that it had.
  pid_t pid() const noexcept { return running() ? process_.pid : pid_ended_; }
  /// What it said last about itself.
  const WorkerReport& report() const noexcept { return read_report_.report; }

  /// How its latest process ended, as waitpid() says it, and whether it was us.
  int end_status() const noexcept { return status_; }
  /// True when end() has ended its latest process.
  bool was_killed() const noexcept { return killed_; }

  /// Tells it to serve its clients to their ends and to take no more.
  void drain() noexcept {
    drains_ = true;
    if (running()) (*stats_)[Stat::serving].set(0);
    if (listener_passed_) {
      if (running()) kill(process_.pid, signal_drain_kept);
      return;
    }
    if (running() && !send_control(process_.control.get(), command_drain)) {
      end();  // it is gone, or it has read nothing for a long time
    }
  }

  /// @param what has kind(), and parcel(), a new one each time. It may throw
  /// @param count so many of them, one for each who shares the process
  /// @return false when it takes no more: it has read nothing for a long time
  template <class What>
  bool send_parcels(What& what, unsigned count) {
    const char command = static_cast<char>(command_parcel + static_cast<char>(what.kind()));
    while (count > 0 && send_control(process_.control.get(), command, what.parcel())) --count;
    return count == 0;
  }

  /// Kills its process; on_worker_exit() follows.
  void end() noexcept {
    if (!running()) return;
    killed_ = true;
    kill(process_.pid, SIGKILL);
  }

  /// After its death: when it may start again, and whether it is in a crash loop.
  RestartPolicy::Decision plan_restart() {
    const RestartPolicy::Decision next = restarts_.on_death(death_ms_, start_ms_);
    restart_ms_ = death_ms_ + next.pause_ms;
    return next;
  }
  /// It may start again so long from now, whatever its deaths say.
  void plan_restart_in(std::uint64_t pause_ms) noexcept { restart_ms_ = now_ms() + pause_ms; }

  /// True when the time has come. A ring outlives its process a little, and its accepts wait at the
  /// listener in front of those of the next ring: the kernel wakes one of them for each client, and
  /// a client whose wake-up goes to the dead one waits until another comes. So the next worker
  /// starts when the ring is gone: then it lets go of the control socket.
  bool may_start() const noexcept {
    return !running() && !exit_.armed() && !ring_lives() && now_ms() >= restart_ms_;
  }

  /// Once per tick: a ring that does not go is waited for no longer.
  void give_up_ring() noexcept {
    if (!running() && ring_lives() && now_ms() - death_ms_ > ring_gone_max_ms) {
      shutdown(process_.control.get(), SHUT_RDWR);
    }
  }

  /// Once per tick of the supervisor. Counted in ticks: a machine that was paused as a whole kills
  /// nobody. One that is not ready yet may be long about its memory, unless it was stopped.
  /// @param tick_ms how long one is
  /// @return the milliseconds without a sign of life, when they were too many; else 0
  std::uint64_t silent_ms(const WorkerStats& stats, std::uint64_t tick_ms) {
    if (!running()) return 0;
    const std::uint64_t heartbeat = stats.heartbeat.get();
    if (std::exchange(heartbeat_, heartbeat) != heartbeat) {
      silent_ticks_ = 0;
      return 0;
    }
    const std::uint64_t silent = ++silent_ticks_ * tick_ms;
    if (silent < silent_max_ms) return 0;
    const char state = process_state(process_.pid);
    if (!ready_ && state != 'T') return 0;
    if (state == 'R' && silent < silent_running_max_ms) return 0;
    silent_ticks_ = 0;
    return silent;
  }

  /// @return clients shed since it was last asked with an answer, once per second at most; else 0
  std::uint64_t untold_shed(std::uint64_t shed) noexcept {
    if (shed == shed_told_ || now_ms() - shed_told_ms_ < 1000) return 0;
    shed_told_ms_ = now_ms();
    return shed - std::exchange(shed_told_, shed);
  }

  const unsigned index;  ///< which worker it is, from 0

 private:
  static constexpr std::uint64_t silent_max_ms = 1000;          // a heartbeat is due every 25 ms
  static constexpr std::uint64_t silent_running_max_ms = 5000;  // it still runs: a busy machine
  static constexpr std::uint64_t ring_gone_max_ms = 2000;       // milliseconds are usual
  static constexpr std::uint64_t ring_rest_ms = 20;

  class PollFd : public Completion {
   public:
    using Completion::Completion;
    void start(Ring& ring, int fd) noexcept {
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_poll_add(sqe, fd, POLLIN);
      ring.arm(sqe, *this);
    }
  };
  class ReadReport : public Completion {
   public:
    using Completion::Completion;
    void start(Ring& ring, int fd) noexcept {
      report = {};
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_recv(sqe, fd, &report, sizeof report, MSG_WAITALL);
      ring.arm(sqe, *this);
    }
    WorkerReport report;
  };

  bool ring_lives() const noexcept { return read_report_.armed() || ring_gone_.armed(); }
  std::uint64_t now_ms() const noexcept { return ring_.now_ns() / 1'000'000U; }

  void on_exit(Cqe cqe) noexcept {
    if (cqe.res < 0) return;  // cancelled: the supervisor is ending
    waitpid(process_.pid, &status_, 0);
    pid_ended_ = std::exchange(process_.pid, -1);
    process_.pidfd.reset();
    (*stats_)[Stat::serving].set(0);
    death_ms_ = now_ms();
    end_due_ = true;
    owner_.on_worker_exit(*this);
    if (!read_report_.armed()) end_now();  // else its reason may still be on the way
    owner_.restart_due();
  }

  void on_report(Cqe cqe) noexcept {
    const bool whole = cqe.res == static_cast<int>(sizeof read_report_.report);
    if (whole && report().error[0] == '\0') {
      ring_gone_.start(ring_, process_.control.get());
      ready_ = true;
      (*stats_)[Stat::serving].set(1);
      silent_ticks_ = 0;
      owner_.on_worker_ready(*this);
      if (drains_) drain();  // a signal that came before its handler is lost
    } else if (whole) {
      owner_.on_worker_refused(*this);
    }
    if (end_due_) end_now();
    owner_.restart_due();
  }

  void end_now() {
    end_due_ = false;
    owner_.on_worker_ended(*this);
  }

  // The ring lets go of its requests one after the other, and its accepts may come after this one:
  // a client whose wake-up goes to one of them would wait until another comes.
  void on_ring_gone(Cqe) noexcept { restart_ms_ = std::max(restart_ms_, now_ms() + ring_rest_ms); }

  Owner& owner_;
  Ring& ring_;
  WorkerProcess process_;         ///< pid -1 exactly while none runs
  WorkerStats* stats_ = nullptr;  ///< its block; here, whether it serves and how often it began
  RestartPolicy restarts_;
  bool ready_ = false;
  bool killed_ = false;  ///< by us
  bool drains_ = false;  ///< it was told to
  bool listener_passed_ = false;
  bool end_due_ = false;  ///< True from the end of its process until its report has ended, too
  pid_t pid_ended_ = -1;  ///< of the process that ended last
  int status_ = 0;        ///< its end
  std::uint64_t heartbeat_ = 0;
  std::uint64_t silent_ticks_ = 0;
  std::uint64_t shed_told_ = 0;
  std::uint64_t shed_told_ms_ = 0;
  std::uint64_t start_ms_ = 0;
  std::uint64_t death_ms_ = 0;
  std::uint64_t restart_ms_ = 0;
  Bind<PollFd, &SupervisedWorker::on_exit> exit_{*this};
  Bind<ReadReport, &SupervisedWorker::on_report> read_report_{*this};
  /// The end of file on the control socket, which the worker's ring reads. See may_start().
  Bind<PollFd, &SupervisedWorker::on_ring_gone> ring_gone_{*this};
};

}  // namespace lab
