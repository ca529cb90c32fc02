// Starts one worker process per core, watches them, starts dead ones again, and ends them in order.
//
// A dead worker's listener stays open here, so the clients that wait in its backlog are served by
// the next one. Workers share nothing but their blocks of statistics, which only they write.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/worker_options.hpp"

namespace lab {

enum class Steering : std::uint8_t {
  automatic,  ///< cpu when each processor of the affinity mask has one worker, else hash
  cpu,        ///< to the worker on the processor that handles the SYN
  hash        ///< the kernel's own choice
};

/// What a new worker process is given. It owns nothing of it.
struct WorkerContext {
  unsigned index;
  int cpu;  ///< already pinned to it; -1: not pinned
  int listener_fd;
  unsigned backlog;
  int control_fd;  ///< commands come, one WorkerReport goes; end of file means drain
  WorkerStats* stats;
};

struct SupervisorOptions {
  const char* name = "server";  ///< in front of every line of the log
  ListenerOptions listener;     ///< reuse_port is the supervisor's own choice
  unsigned workers = 1;
  bool pin = true;
  Steering steering = Steering::automatic;
  unsigned drain_deadline_ms = 5'000;
  unsigned stats_interval_ms = 10'000;  ///< 0: only the summary
  std::string stats_json;               ///< a file for one JSON object per interval; "-": stdout
  /// The body of a worker process; its return value is the exit code. Runs after the fork.
  int (*worker_main)(const void* argument, const WorkerContext& context) = nullptr;
  const void* argument = nullptr;
  /// Says what is in use, from the first worker's report.
  std::string (*describe)(const void* argument, const WorkerReport& report) = nullptr;
};

/// REQUIRES: a process with a single thread, as it forks.
class Supervisor {
 public:
  /// Opens the listeners.
  /// @throws std::system_error (EADDRINUSE: another server is there), std::invalid_argument
  explicit Supervisor(const SupervisorOptions& options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Serves until SIGTERM or SIGINT. The first drains, a second one stops at once.
  /// @return the exit code: 0 drained, 1 stopped by a second signal or unable to start
  int run();

 private:
  class PollFd : public Completion {
   public:
    using Completion::Completion;
    void start(Ring& ring, int fd) noexcept;
  };
  class ReadReport : public Completion {
   public:
    using Completion::Completion;
    void start(Ring& ring, int fd) noexcept;
    WorkerReport report;
  };
  struct Child;

  enum class State { starting, serving, draining, ended };

  // Starting and restarting.
  void spawn(Child& child);
  [[noreturn]] void become_worker(Child& child, int control_fd);
  void restart_due();
  void on_child_ready(Child& child);
  void on_child_exit(Child& child);
  void plan_restart(Child& child);
  void give_up_listener(Child& child);
  void reopen_listener(Child& child);

  // Watching.
  void on_signal(Cqe cqe) noexcept;
  void on_tick(Cqe cqe) noexcept;
  void watch_heartbeats();

  // Steering.
  bool steers_by_cpu() const noexcept;
  void attach_steering();

  // Stopping.
  void drain();
  void stop_now();
  void command_all(char command);
  bool all_gone() const noexcept;

  // Reporting.
  StatValues counters(const Child& child) const noexcept;
  void report_interval();
  void report_summary();
  void write_json();
  template <class... Arguments>
  void log(const char* format, Arguments&&... arguments) const;

  double seconds_since_start() const noexcept;
  std::uint64_t now_ms() const noexcept { return ring_.now_ns() / 1'000'000U; }

  SupervisorOptions options_;
  std::vector<int> cpus_;
  Ring ring_{{.sq_entries = 256}};
  Fd signals_;
  SharedStats stats_;  ///< one block per worker
  std::vector<std::unique_ptr<Child>> children_;
  std::vector<unsigned>
      group_;  ///< worker of each listener, in the order of the SO_REUSEPORT group
  std::uint16_t port_ = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> json_{nullptr, &std::fclose};
  State state_ = State::starting;
  bool stopped_by_force_ = false;
  std::uint64_t start_ns_ = 0;
  std::uint64_t drain_ms_ = 0;
  std::uint64_t reported_ms_ = 0;
  StatValues reported_{};
  Bind<PollFd, &Supervisor::on_signal> signal_{*this};
  Bind<Timer, &Supervisor::on_tick> timer_{*this};
};

}  // namespace lab
