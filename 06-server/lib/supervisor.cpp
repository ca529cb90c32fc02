#include "06-server/lib/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <utility>

#include "01-core/lib/check.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/server_report.hpp"
#include "06-server/lib/steering.hpp"

namespace lab {

namespace {

constexpr std::uint64_t tick_ms = 100;
constexpr unsigned silent_ticks_max = 10;  // a heartbeat is due every 25 ms: 1 s without is a stop
constexpr unsigned silent_ticks_running_max = 50;  // it still runs: a busy machine, give it 5 s
constexpr std::array<std::uint64_t, 4> restart_pauses_ms{0, 100, 1000, 5000};
constexpr std::uint64_t retry_ms = 5000;
constexpr std::uint64_t ring_gone_max_ms = 2000;  // milliseconds are usual
constexpr std::uint64_t deaths_window_ms = 10'000;
constexpr std::size_t deaths_max = 5;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// 'R' running, 'S' and 'D' asleep, 'T' and 't' stopped; ' ' unknown. proc(5)
char process_state(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && name_end + 2 < line.size() ? line[name_end + 2] : ' ';
}

// Everything but the standard three and the two that the worker was given.
void close_other_fds(int keep_one, int keep_two) {
  std::array<int, 2> keep{keep_one, keep_two};
  std::sort(keep.begin(), keep.end());
  unsigned from = 3;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > from) syscall(SYS_close_range, from, kept - 1, 0);
    from = std::max(from, kept + 1);
  }
  syscall(SYS_close_range, from, ~0U, 0);
}

unsigned drain_alarm_seconds = 0;

// The supervisor died. The closed control socket makes the worker drain; this ends it if it cannot.
void on_parent_death(int) { alarm(drain_alarm_seconds); }

}  // namespace

struct Supervisor::Child {
  Child(Supervisor& owner, unsigned which) : supervisor(owner), index(which) {}

  void on_exit(Cqe) noexcept { supervisor.on_child_exit(*this); }
  void on_report(Cqe cqe) noexcept {
    if (cqe.res == static_cast<int>(sizeof(WorkerReport))) {
      ring_gone.start(supervisor.ring_, control.get());
      supervisor.on_child_ready(*this);
    } else {
      supervisor.restart_due();
    }
  }
  void on_ring_gone(Cqe) noexcept { supervisor.restart_due(); }

  Supervisor& supervisor;
  const unsigned index;
  int cpu = -1;
  pid_t pid = -1;  ///< -1 exactly while no process runs
  Fd pidfd;
  Fd control;
  std::optional<Listener> listener;  ///< empty while it is given up
  bool ready = false;
  std::uint64_t heartbeat = 0;
  unsigned silent_ticks = 0;
  std::vector<std::uint64_t> deaths_ms;  ///< those of the last deaths_window_ms
  bool on_trial = false;  ///< True from giving up its listener until it has lived that long again
  std::uint64_t start_ms = 0;
  std::uint64_t death_ms = 0;
  std::uint64_t restart_ms = 0;
  StatValues retired{};  ///< what its earlier processes counted
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
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_recv(sqe, fd, &report, sizeof report, MSG_WAITALL);
  ring.arm(sqe, *this);
}

template <class... Arguments>
void Supervisor::log(const char* format, Arguments&&... arguments) const {
  const std::string text = fmt::format(fmt::runtime(format), std::forward<Arguments>(arguments)...);
  // Not fmt::print, which throws when the reader of the log is gone.
  std::fputs(fmt::format("{}: {}\n", options_.name, text).c_str(), stderr);
}

Supervisor::Supervisor(const SupervisorOptions& options)
    : options_(options), cpus_(allowed_cpus()), stats_(options.workers) {
  // A mapping in a worker would keep the ring alive after our death, and with it the requests that
  // hold the control sockets: the workers would not see their end. madvise(2), MADV_DONTFORK
  check(io_uring_ring_dontfork(ring_.raw()), "io_uring_ring_dontfork");
  // Blocked from the start, so that a signal that comes early drains a server that has just begun.
  const sigset_t set = stop_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = Fd(check_errno(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  std::signal(SIGPIPE, SIG_IGN);

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

  if (options_.stats_json == "-") {
    json_.reset(fdopen(dup(STDOUT_FILENO), "w"));
  } else if (!options_.stats_json.empty()) {
    json_.reset(std::fopen(options_.stats_json.c_str(), "we"));
    if (!json_) {
      throw std::system_error(errno, std::generic_category(),
                              "--stats-json " + options_.stats_json);
    }
  }
  attach_steering();
}

Supervisor::~Supervisor() = default;

int Supervisor::run() {
  start_ns_ = ring_.now_ns();
  reported_ms_ = now_ms();
  signal_.start(ring_, signals_.get());
  timer_.start(ring_, tick_ms * 1'000'000U);
  try {
    for (auto& child : children_) spawn(*child);
  } catch (const std::exception& error) {
    log("cannot start: {}", error.what());
    stopped_by_force_ = true;
    drain();
  }
  while (state_ != State::ended) ring_.run_once();
  report_summary();
  // What is armed (the tick, the signals) points into this object: let it end before the object
  // does.
  struct Ignore {
    void on_done(Cqe) noexcept {}
    Bind<Cancel, &Ignore::on_done> cancel{*this};
  } ignore;
  while (ring_.armed_count() > 0) {
    if (!ignore.cancel.armed()) ignore.cancel.start_all(ring_);
    ring_.run_once();
  }
  return stopped_by_force_ ? 1 : 0;
}

void Supervisor::spawn(Child& child) {
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  child.control = Fd(pair[0]);
  Fd theirs(pair[1]);
  stats_.clear(child.index);
  child.ready = false;
  child.heartbeat = 0;
  child.silent_ticks = 0;
  child.start_ms = now_ms();
  const pid_t parent = getpid();
  child.pid = check_errno(fork(), "fork");
  if (child.pid == 0) {
    drain_alarm_seconds = options_.drain_deadline_ms / 1000 + 2;
    struct sigaction action {};
    action.sa_handler = &on_parent_death;
    sigaction(SIGUSR2, &action, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    if (getppid() != parent) _exit(1);  // it died before the line above
    become_worker(child, theirs.release());
  }
  child.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.pidfd) {  // nobody would see its end
    const int error = errno;
    kill(child.pid, SIGKILL);
    waitpid(std::exchange(child.pid, -1), nullptr, 0);
    throw std::system_error(error, std::generic_category(), "pidfd_open");
  }
  child.exit.start(ring_, child.pidfd.get());
  child.read_report.start(ring_, child.control.get());
}

void Supervisor::become_worker(Child& child, int control_fd) {
  int code = 1;
  try {
    close_other_fds(child.listener->fd(), control_fd);
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGINT, SIG_IGN);
    const sigset_t set = stop_signals();
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    if (child.cpu >= 0) pin_to_cpu(child.cpu);
    code = options_.worker_main(options_.argument, {.index = child.index,
                                                    .cpu = child.cpu,
                                                    .listener_fd = child.listener->fd(),
                                                    .backlog = child.listener->backlog(),
                                                    .control_fd = control_fd,
                                                    .stats = &stats_[child.index]});
  } catch (const std::exception& error) {
    log("worker {}: {}", child.index, error.what());
  }
  std::fflush(nullptr);
  _exit(code);  // destructors belong to the supervisor's copy of all this
}

void Supervisor::on_child_ready(Child& child) {
  child.ready = true;
  child.silent_ticks = 0;
  if (state_ == State::serving) log("worker {} serves again", child.index);
  if (state_ != State::starting) return;
  const bool all =
      std::all_of(children_.begin(), children_.end(), [](const auto& each) { return each->ready; });
  if (!all) return;
  state_ = State::serving;
  log("{}; {} worker{}, {}", options_.describe(options_.argument, child.read_report.report),
      options_.workers, options_.workers == 1 ? "" : "s",
      options_.workers == 1 ? "no steering"
      : steers_by_cpu()     ? "steered by CPU"
                            : "steered by hash");
  const bool v6 = options_.listener.address.find(':') != std::string::npos;
  std::fputs(fmt::format("listening on {}{}{}:{}\n", v6 ? "[" : "", options_.listener.address,
                         v6 ? "]" : "", port_)
                 .c_str(),
             stdout);
  std::fflush(stdout);
}

void Supervisor::on_child_exit(Child& child) {
  int status = 0;
  waitpid(child.pid, &status, 0);
  const pid_t pid = child.pid;
  child.pid = -1;
  child.pidfd.reset();
  // Its connections died with it.
  child.retired = counters(child);
  child.retired[static_cast<std::size_t>(Stat::closed)] =
      child.retired[static_cast<std::size_t>(Stat::accepted)];
  stats_.clear(child.index);
  child.death_ms = now_ms();

  if (state_ == State::starting) {
    log("worker {} could not start (its reason is above)", child.index);
    stopped_by_force_ = true;
    drain();
  } else if (state_ == State::serving) {
    if (WIFSIGNALED(status)) {
      log("worker {} (process {}) was ended by signal {} ({})", child.index, pid, WTERMSIG(status),
          strsignal(WTERMSIG(status)));
    } else {
      log("worker {} (process {}) exited with code {}", child.index, pid, WEXITSTATUS(status));
    }
    plan_restart(child);
  }
  if (state_ == State::draining && all_gone()) state_ = State::ended;
}

void Supervisor::plan_restart(Child& child) {
  const std::uint64_t now = now_ms();
  std::erase_if(child.deaths_ms,
                [&](std::uint64_t death) { return now - death > deaths_window_ms; });
  child.deaths_ms.push_back(now);
  child.on_trial = child.on_trial && now - child.start_ms <= deaths_window_ms;
  if (child.on_trial || child.deaths_ms.size() >= deaths_max) {
    log("worker {} died {}: its listener is closed, tried again every {} s", child.index,
        child.on_trial ? std::string("again")
                       : fmt::format("{} times within {} s", deaths_max, deaths_window_ms / 1000),
        retry_ms / 1000);
    give_up_listener(child);
    child.deaths_ms.clear();
    child.on_trial = true;
    child.restart_ms = now + retry_ms;
    return;
  }
  const std::size_t step = std::min(child.deaths_ms.size(), restart_pauses_ms.size()) - 1;
  child.restart_ms = now + restart_pauses_ms[step];
  restart_due();
}

// The kernel puts the last listener of the group in the place of the one that left.
void Supervisor::give_up_listener(Child& child) {
  if (!child.listener) return;
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

// A ring outlives its process a little, and its accepts wait at the listener in front of those of
// the next ring: the kernel wakes one of them for each client, and a client whose wake-up goes to
// the dead one waits until another comes. So the next worker starts when the ring is gone: then it
// lets go of the control socket.
void Supervisor::restart_due() {
  for (auto& child : children_) {
    if (state_ != State::serving || child->pid != -1 || child->exit.armed()) continue;
    if (child->read_report.armed() || child->ring_gone.armed()) {
      if (now_ms() - child->death_ms > ring_gone_max_ms) shutdown(child->control.get(), SHUT_RDWR);
      continue;
    }
    if (now_ms() < child->restart_ms) continue;
    // No process, no descriptor: the others go on serving meanwhile.
    try {
      if (!child->listener) reopen_listener(*child);
      spawn(*child);
    } catch (const std::exception& error) {
      log("worker {}: {}; tried again in {} s", child->index, error.what(), retry_ms / 1000);
      child->restart_ms = now_ms() + retry_ms;
    }
  }
}

void Supervisor::on_signal(Cqe) noexcept {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (state_ == State::draining) {
      log("second signal: stopping at once");
      stop_now();
    } else {
      log("draining: no more accepts, up to {} ms for what is open; once more stops at once",
          options_.drain_deadline_ms);
      drain();
    }
  }
  if (state_ != State::ended) signal_.start(ring_, signals_.get());
}

void Supervisor::on_tick(Cqe) noexcept {
  if (state_ == State::ended) return;
  timer_.start(ring_, tick_ms * 1'000'000U);
  if (state_ == State::serving) {
    watch_heartbeats();
    restart_due();
    const std::uint64_t interval = options_.stats_interval_ms;
    if (interval != 0 && now_ms() - reported_ms_ >= interval) report_interval();
  } else if (state_ == State::draining &&
             now_ms() - drain_ms_ > options_.drain_deadline_ms + 2000) {
    stop_now();
  }
}

// Counted in our own ticks: a machine that was paused as a whole kills nobody. One that is not
// ready yet may be long about its memory, unless it was stopped.
void Supervisor::watch_heartbeats() {
  for (auto& child : children_) {
    if (child->pid == -1) continue;
    const std::uint64_t heartbeat = stats_[child->index].heartbeat.get();
    if (heartbeat != child->heartbeat) {
      child->heartbeat = heartbeat;
      child->silent_ticks = 0;
      continue;
    }
    ++child->silent_ticks;
    if (child->silent_ticks < silent_ticks_max) continue;
    const char process = process_state(child->pid);
    if (!child->ready && process != 'T') continue;
    if (process == 'R' && child->silent_ticks < silent_ticks_running_max) continue;
    log("worker {} (process {}) gave no sign of life for {} ms: killed", child->index, child->pid,
        child->silent_ticks * tick_ms);
    kill(child->pid, SIGKILL);
    child->silent_ticks = 0;
  }
}

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
  command_all('d');
  if (all_gone()) state_ = State::ended;
}

void Supervisor::stop_now() {
  stopped_by_force_ = true;
  for (auto& child : children_) {
    if (child->pid != -1) kill(child->pid, SIGKILL);
  }
}

void Supervisor::command_all(char command) {
  for (auto& child : children_) {
    if (child->pid == -1) continue;
    if (send(child->control.get(), &command, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
      kill(child->pid, SIGKILL);  // it is gone, or it has read nothing for a long time
    }
  }
}

bool Supervisor::all_gone() const noexcept {
  return std::all_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child->pid == -1; });
}

StatValues Supervisor::counters(const Child& child) const noexcept {
  const StatValues values[] = {child.retired, stats_[child.index].read()};
  return sum(values);
}

double Supervisor::seconds_since_start() const noexcept {
  return static_cast<double>(ring_.now_ns() - start_ns_) / 1e9;
}

void Supervisor::report_interval() {
  std::vector<StatValues> workers;
  for (const auto& child : children_) workers.push_back(counters(*child));
  const StatValues total = sum(workers);
  const double seconds = static_cast<double>(now_ms() - reported_ms_) / 1000.0;
  const StatValues growth = difference(total, reported_);
  const auto grew = [&](Stat stat) { return growth[static_cast<std::size_t>(stat)] != 0; };
  // An idle server is silent.
  if (grew(Stat::receives) || grew(Stat::accepted) || grew(Stat::closed)) {
    log("{}", describe(total, growth, seconds));
  }
  reported_ = total;
  reported_ms_ = now_ms();
  write_json();
}

void Supervisor::report_summary() {
  std::vector<StatValues> workers;
  for (const auto& child : children_) workers.push_back(counters(*child));
  const double seconds = seconds_since_start();
  if (workers.size() > 1) {
    for (std::size_t index = 0; index < workers.size(); ++index) {
      log("worker {}: {} accepted | {}", index,
          workers[index][static_cast<std::size_t>(Stat::accepted)],
          describe(workers[index], workers[index], seconds));
    }
  }
  const StatValues total = sum(workers);
  log("in {:.1f} s: {} accepted | {}", seconds, total[static_cast<std::size_t>(Stat::accepted)],
      describe(total, total, seconds));
  write_json();
}

void Supervisor::write_json() {
  if (!json_) return;
  std::vector<StatValues> workers;
  for (const auto& child : children_) workers.push_back(counters(*child));
  std::fputs((to_json(workers, seconds_since_start()) + "\n").c_str(), json_.get());
  std::fflush(json_.get());
}

}  // namespace lab
