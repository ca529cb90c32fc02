#include "06-server/lib/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "01-core/lib/check.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/explain.hpp"
#include "06-server/lib/steering.hpp"

namespace lab {

namespace {

constexpr std::uint64_t tick_ms = 100;
constexpr unsigned silent_ticks_max = 10;  // a heartbeat is due every 25 ms: 1 s without is a stop
constexpr unsigned silent_ticks_running_max = 50;  // it still runs: a busy machine, give it 5 s
constexpr std::uint64_t ring_gone_max_ms = 2000;   // milliseconds are usual
constexpr std::uint64_t kill_after_deadline_ms = 2000;
constexpr unsigned last_ticks_max = 10;  // for who reads the last lines

const char* plural(std::uint64_t count) { return count == 1 ? "" : "s"; }

}  // namespace

struct Supervisor::Child {
  Child(Supervisor& owner, unsigned which) : supervisor(owner), index(which) {}

  void on_exit(Cqe) noexcept { supervisor.on_child_exit(*this); }
  void on_report(Cqe cqe) noexcept { supervisor.on_child_report(*this, cqe.res); }
  void on_ring_gone(Cqe) noexcept { supervisor.restart_due(); }

  Supervisor& supervisor;
  const unsigned index;
  int cpu = -1;
  WorkerProcess process;             ///< pid -1 exactly while none runs
  std::optional<Listener> listener;  ///< empty while it is given up
  RestartPolicy restarts;
  bool ready = false;
  bool end_due = false;    ///< True from the end of its process until on_child_ended()
  bool killed = false;     ///< by us
  pid_t pid_ended = -1;    ///< of the process that ended last
  int status = 0;          ///< its end
  std::uint64_t lost = 0;  ///< connections that ended with it
  std::uint64_t heartbeat = 0;
  unsigned silent_ticks = 0;
  std::uint64_t shed_told = 0;
  std::uint64_t shed_told_ms = 0;
  std::uint64_t start_ms = 0;
  std::uint64_t death_ms = 0;
  std::uint64_t restart_ms = 0;
  Bind<PollFd, &Child::on_exit> exit{*this};
  Bind<ReadReport, &Child::on_report> read_report{*this};
  /// The end of file on the control socket, which the worker's ring reads. See restart_due().
  Bind<PollFd, &Child::on_ring_gone> ring_gone{*this};
};

void Supervisor::PollFd::start(Ring& ring, int fd) noexcept {
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_poll_add(sqe, fd, POLLIN);
  ring.arm(sqe, *this);
}

void Supervisor::ReadReport::start(Ring& ring, int fd) noexcept {
  report = {};
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_recv(sqe, fd, &report, sizeof report, MSG_WAITALL);
  ring.arm(sqe, *this);
}

Supervisor::Supervisor(const SupervisorOptions& options)
    : options_(options),
      cpus_(allowed_cpus()),
      log_(ring_, STDERR_FILENO, {.name = options.name, .with_time = options.log_time}),
      stdout_(ring_, STDOUT_FILENO, 4096),
      statistics_(ring_, options.workers, options.stats_json) {
  // A mapping in a worker would keep the ring alive after our death, and with it the requests that
  // hold the control sockets: the workers would not see their end. madvise(2), MADV_DONTFORK
  check(io_uring_ring_dontfork(ring_.raw()), "io_uring_ring_dontfork");
  open_listeners();
  attach_steering();
}

Supervisor::~Supervisor() = default;

void Supervisor::open_listeners() try {
  if (options_.listener.port != 0) probe_port(options_.listener);
  options_.listener.reuse_port = options_.workers > 1;
  for (unsigned index = 0; index < options_.workers; ++index) {
    auto child = std::make_unique<Child>(*this, index);
    if (options_.pin) child->cpu = cpus_[index % cpus_.size()];
    child->listener.emplace(options_.listener);
    options_.listener.port = port_ = child->listener->port();
    children_.push_back(std::move(child));
    group_.push_back(index);
  }
} catch (const std::system_error& error) {
  throw std::runtime_error(explain_listener(options_.listener, error));
}

int Supervisor::run() {
  statistics_.begin(ring_.now_ns());
  reported_ms_ = now_ms();
  signal_.start(ring_, signals_.fd());
  timer_.start(ring_, tick_ms * 1'000'000U);
  try {
    for (auto& child : children_) start(*child);
  } catch (const std::exception& error) {
    log_("cannot start: {}", explain(error));
    failed_ = true;
    drain();
  }
  while (state_ != State::ended) ring_.run_once();
  if (served_) statistics_.report_summary(log_, ring_.now_ns());
  report_end();
  finish_ring();
  return failed_ ? 1 : 0;
}

// --- starting and restarting ---

void Supervisor::start(Child& child) {
  child.ready = false;
  child.killed = false;
  child.heartbeat = 0;
  child.silent_ticks = 0;
  child.shed_told = 0;
  child.start_ms = now_ms();
  child.process = WorkerProcess::start(options_.worker_main,
                                       {.index = child.index,
                                        .cpu = child.cpu,
                                        .listener_fd = child.listener->fd(),
                                        .backlog = child.listener->backlog(),
                                        .control_fd = -1,
                                        .stats = &statistics_.block(child.index)},
                                       signals_, options_.drain_deadline_ms / 1000 + 2);
  child.exit.start(ring_, child.process.pidfd.get());
  child.read_report.start(ring_, child.process.control.get());
}

void Supervisor::on_child_report(Child& child, int res) {
  const WorkerReport& report = child.read_report.report;
  const bool whole = res == static_cast<int>(sizeof report);
  if (whole && report.error[0] == '\0') {
    child.ring_gone.start(ring_, child.process.control.get());
    on_child_ready(child);
    return;
  }
  if (whole) log_("worker {} could not start: {}", child.index, report.error);
  if (child.end_due) on_child_ended(child);
  restart_due();
}

void Supervisor::on_child_ready(Child& child) {
  child.ready = true;
  child.silent_ticks = 0;
  if (state_ == State::serving) log_("worker {} serves again", child.index);
  if (state_ != State::starting) return;
  const bool all =
      std::all_of(children_.begin(), children_.end(), [](const auto& each) { return each->ready; });
  if (!all) return;
  state_ = State::serving;
  served_ = true;
  log_("{}; {} worker{}, {}",
       options_.describe(options_.worker_main.argument, child.read_report.report), options_.workers,
       plural(options_.workers),
       options_.workers == 1 ? "no steering"
       : steers_by_cpu()     ? "steered by CPU"
                             : "steered by hash");
  announce();
}

// Where standard output is for programs that read JSON, the log says it.
void Supervisor::announce() {
  const bool v6 = options_.listener.address.find(':') != std::string::npos;
  const std::string line = fmt::format("listening on {}{}{}:{}", v6 ? "[" : "",
                                       options_.listener.address, v6 ? "]" : "", port_);
  if (options_.stats_json == "-") {
    log_("{}", line);
  } else {
    stdout_.write(line + "\n");
  }
}

void Supervisor::on_child_exit(Child& child) {
  waitpid(child.process.pid, &child.status, 0);
  child.pid_ended = std::exchange(child.process.pid, -1);
  child.process.pidfd.reset();
  child.lost = statistics_.retire(child.index);
  child.death_ms = now_ms();
  child.end_due = true;
  if (!served_ && child.read_report.armed()) {  // its reason may still be on the way
    shutdown(child.process.control.get(), SHUT_RDWR);
    return;
  }
  on_child_ended(child);
}

void Supervisor::on_child_ended(Child& child) {
  child.end_due = false;
  const bool signalled = WIFSIGNALED(child.status);
  const std::string end =
      describe_end(child.status) +
      (signalled && WTERMSIG(child.status) == SIGKILL && !child.killed
           ? ", by hand or by the kernel because memory ran out (dmesg says which)"
           : "");
  const std::string process = fmt::format("worker {} (process {})", child.index, child.pid_ended);
  if (state_ == State::serving) {
    plan_restart(child, fmt::format("{} {}, {} connection{} with it", process, end, child.lost,
                                    plural(child.lost)));
  } else if (child.status != 0) {
    failed_ = true;
    if (served_) {
      log_("{} {} while it drained, {} connection{} with it", process, end, child.lost,
           plural(child.lost));
    } else if (child.read_report.report.error[0] == '\0') {
      log_("worker {} could not start: it {}", child.index, end);
    }
  }
  if (state_ == State::starting) {
    failed_ = true;
    drain();
  }
  if (state_ == State::draining && all_gone()) state_ = State::ended;
}

void Supervisor::plan_restart(Child& child, const std::string& what) {
  const RestartPolicy::Decision next = child.restarts.on_death(child.death_ms, child.start_ms);
  child.restart_ms = child.death_ms + next.pause_ms;
  const char* nobody = somebody_serves() ? "" : "; nobody serves until then";
  if (next.pause_ms == 0) {
    log_("{}; the next one starts at once", what);
  } else {
    log_("{}; the next one starts in {} ms{}", what, next.pause_ms, nobody);
  }
  if (next.gives_up) {
    const std::string times = next.again
                                  ? "again"
                                  : fmt::format("{} times within {} s", RestartPolicy::deaths_max,
                                                RestartPolicy::window_ms / 1000);
    give_up_listener(child, times);
  }
  restart_due();
}

// The last listener stays open: the clients wait there, and nobody else can take the port. The
// kernel puts the last listener of the group in the place of the one that left.
void Supervisor::give_up_listener(Child& child, const std::string& times) {
  const std::uint64_t retry = RestartPolicy::retry_ms / 1000;
  if (!child.listener) return;
  if (group_.size() == 1) {
    log_(
        "worker {} died {}: tried again every {} s; no other listener is open, so new clients wait",
        child.index, times, retry);
    return;
  }
  const unsigned waiting = child.listener->waiting();
  log_(
      "worker {} died {}: its listener is closed, tried again every {} s; {} client{} that waited "
      "there {} reset",
      child.index, times, retry, waiting, plural(waiting), waiting == 1 ? "is" : "are");
  child.listener.reset();
  const auto place = std::find(group_.begin(), group_.end(), child.index);
  *place = group_.back();
  group_.pop_back();
  attach_steering();
}

void Supervisor::reopen_listener(Child& child) {
  child.listener.emplace(options_.listener);
  group_.push_back(child.index);
  attach_steering();
}

bool Supervisor::somebody_serves() const noexcept {
  return std::any_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child->process.pid != -1 && child->ready; });
}

// A ring outlives its process a little, and its accepts wait at the listener in front of those of
// the next ring: the kernel wakes one of them for each client, and a client whose wake-up goes to
// the dead one waits until another comes. So the next worker starts when the ring is gone: then it
// lets go of the control socket.
void Supervisor::restart_due() {
  for (auto& child : children_) {
    if (state_ != State::serving || child->process.pid != -1 || child->exit.armed()) continue;
    if (child->read_report.armed() || child->ring_gone.armed()) {
      if (now_ms() - child->death_ms > ring_gone_max_ms) {
        shutdown(child->process.control.get(), SHUT_RDWR);
      }
      continue;
    }
    if (now_ms() < child->restart_ms) continue;
    // No process, no descriptor: the others go on serving meanwhile.
    try {
      if (!child->listener) reopen_listener(*child);
      start(*child);
    } catch (const std::exception& error) {
      log_("worker {}: {}; tried again in {} s", child->index, explain(error),
           RestartPolicy::retry_ms / 1000);
      child->restart_ms = now_ms() + RestartPolicy::retry_ms;
    }
  }
}

// --- watching ---

void Supervisor::on_signal(Cqe) noexcept {
  while (const int signal = signals_.next()) {
    if (ServerSignals::asks_for_statistics(signal)) {
      statistics_.report_interval(log_, ring_.now_ns(), true);
      reported_ms_ = now_ms();
    } else if (state_ == State::draining) {
      log_("SIG{}, the second signal: stopping at once", sigabbrev_np(signal));
      stop_now();
    } else if (state_ != State::ended) {
      log_(
          "SIG{}: draining: no more accepts, up to {} ms for what is open; once more stops at once",
          sigabbrev_np(signal), options_.drain_deadline_ms);
      drain();
    }
  }
  if (state_ != State::ended) signal_.start(ring_, signals_.fd());
}

void Supervisor::on_tick(Cqe cqe) noexcept {
  if (cqe.res == -ECANCELED) return;
  timer_.start(ring_, tick_ms * 1'000'000U);
  if (stdout_.lost() != 0 && !std::exchange(stdout_told_, true)) {
    log_("'listening on' could not be written: {}", std::strerror(stdout_.error()));
  }
  if (state_ == State::serving) {
    watch_heartbeats();
    watch_shedding();
    restart_due();
    const std::uint64_t interval = options_.stats_interval_ms;
    if (interval != 0 && now_ms() - reported_ms_ >= interval) {
      statistics_.report_interval(log_, ring_.now_ns(), false);
      reported_ms_ = now_ms();
    }
  } else if (state_ == State::draining) {
    if (now_ms() - drain_ms_ > options_.drain_deadline_ms + kill_after_deadline_ms) stop_now();
  } else if (state_ == State::ended) {
    ++last_ticks_;
  }
}

// Counted in our own ticks: a machine that was paused as a whole kills nobody. One that is not
// ready yet may be long about its memory, unless it was stopped.
void Supervisor::watch_heartbeats() {
  for (auto& child : children_) {
    if (child->process.pid == -1) continue;
    const std::uint64_t heartbeat = statistics_.block(child->index).heartbeat.get();
    if (heartbeat != child->heartbeat) {
      child->heartbeat = heartbeat;
      child->silent_ticks = 0;
      continue;
    }
    ++child->silent_ticks;
    if (child->silent_ticks < silent_ticks_max) continue;
    const char state = process_state(child->process.pid);
    if (!child->ready && state != 'T') continue;
    if (state == 'R' && child->silent_ticks < silent_ticks_running_max) continue;
    log_("worker {} (process {}) gave no sign of life for {} ms: killed", child->index,
         child->process.pid, child->silent_ticks * tick_ms);
    kill_worker(*child);
    child->silent_ticks = 0;
  }
}

// A worker writes no line of its own; what it counts is said here, once per second at most.
void Supervisor::watch_shedding() {
  for (auto& child : children_) {
    const std::uint64_t shed = statistics_.block(child->index).get(Stat::shed);
    if (shed == child->shed_told || now_ms() - child->shed_told_ms < 1000) continue;
    const std::uint64_t grew = shed - child->shed_told;
    log_("worker {}: buffers ran out, reset {} client{} that did not read ({} so far)",
         child->index, grew, plural(grew), shed);
    child->shed_told = shed;
    child->shed_told_ms = now_ms();
  }
}

// --- steering ---

bool Supervisor::steers_by_cpu() const noexcept {
  if (options_.workers == 1 || options_.steering == Steering::hash) return false;
  if (options_.steering == Steering::cpu) return true;
  return options_.pin && options_.workers == cpus_.size();
}

void Supervisor::attach_steering() {
  if (!steers_by_cpu() || group_.empty()) return;
  std::vector<CpuTarget> targets;
  for (const int cpu : cpus_) {
    for (unsigned place = 0; place < group_.size(); ++place) {
      if (children_[group_[place]]->cpu == cpu) {
        targets.push_back({cpu, place});
        break;
      }
    }
  }
  steer_by_cpu(children_[group_.front()]->listener->fd(), targets, 0);
}

// --- stopping ---

void Supervisor::drain() {
  state_ = State::draining;
  drain_ms_ = now_ms();
  // Shut down and not only closed, for the workers have the sockets open, too: what comes now is
  // refused at once and may go to another server.
  for (auto& child : children_) {
    if (child->listener) shutdown(child->listener->fd(), SHUT_RDWR);
    child->listener.reset();
  }
  group_.clear();
  for (auto& child : children_) {
    constexpr char command = 'd';
    if (child->process.pid != -1 &&
        send(child->process.control.get(), &command, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
      kill_worker(*child);  // it is gone, or it has read nothing for a long time
    }
  }
  if (all_gone()) state_ = State::ended;
}

void Supervisor::stop_now() {
  failed_ = true;
  for (auto& child : children_) {
    if (child->process.pid != -1) kill_worker(*child);
  }
}

void Supervisor::kill_worker(Child& child) {
  child.killed = true;
  kill(child.process.pid, SIGKILL);
}

bool Supervisor::all_gone() const noexcept {
  return std::all_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child->process.pid == -1 && !child->end_due; });
}

// The last lines wait for who reads them, each kind for a second at most.
void Supervisor::report_end() {
  if (const std::uint64_t resets = statistics_.drain_resets(); resets != 0) {
    log_("{} connection{} still open at the deadline: reset", resets,
         resets == 1 ? " was" : "s were");
  }
  for (last_ticks_ = 0; !statistics_.idle() && last_ticks_ < last_ticks_max;) ring_.run_once();
  statistics_.close();
  statistics_.report_losses(log_);
  if (!statistics_.written()) failed_ = true;
  const auto idle = [&] { return log_.output().idle() && stdout_.idle(); };
  for (last_ticks_ = 0; !idle() && last_ticks_ < last_ticks_max;) ring_.run_once();
  log_.output().close();
  stdout_.close();
}

// What is armed (the tick, the signals, a write that nobody reads) points into this object: let it
// end before the object does.
void Supervisor::finish_ring() {
  struct Ignore {
    void on_done(Cqe) noexcept {}
    Bind<Cancel, &Ignore::on_done> cancel{*this};
  } ignore;
  while (ring_.armed_count() > 0) {
    if (!ignore.cancel.armed()) ignore.cancel.start_all(ring_);
    ring_.run_once();
  }
}

}  // namespace lab
