#include "06-server/lib/process/supervisor.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#include "05-performance/bench/host_port.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/ring_end.hpp"

namespace lab {

namespace {

constexpr std::uint64_t tick_ms = 100;
constexpr std::uint64_t kill_after_deadline_ms = 2000;
constexpr unsigned last_ticks_max = 10;
constexpr std::uint64_t told_twice_ms = 100;  // timeout(1) signals a program, then its group

const char* plural(std::uint64_t count) { return count == 1 ? "" : "s"; }

}  // namespace

Supervisor::Supervisor(const SupervisorOptions& options)
    : options_(options),
      log_(ring_, STDERR_FILENO, {.name = options.name, .with_time = options.log_time}),
      stdout_(ring_, STDOUT_FILENO, 4096),
      statistics_(ring_, layout_, options.counters, options.stats_json),
      alarms_(options.alarms),
      listeners_({.listener = options.listener,
                  .workers = layout_.processes(),
                  .passed = options.passed,
                  .pin = options.pin,
                  .steering = options.steering,
                  .source_prefix_bits = options.source_prefix_bits}) {
  for (unsigned index = 0; index < layout_.processes(); ++index)
    children_.push_back(std::make_unique<Child>(*this, ring_, index));
  const AdminProcess::Shown shown{statistics_.shared(), statistics_.infos(), layout_.blocks()};
  if (options_.admin.on) admin_.emplace(ring_, log_, options_.admin, shown);
  for (const Reload& reload : options_.reloads)
    reloading_.push_back(std::make_unique<Reloading<Supervisor>>(*this, ring_, log_, reload));
}

Supervisor::~Supervisor() = default;

int Supervisor::run() {
  if (!options_.warning.empty()) log_("{}", options_.warning);
  if (!manager_.complaint().empty()) log_("{}", manager_.complaint());
  statistics_.begin(ring_.now_ns());
  reported_ms_ = now_ms();
  signal_.start(ring_, signals_.fd());
  for (auto& what : reloading_) what->start_watching();
  timer_.start(ring_, tick_ms * 1'000'000U);
  try {
    for (auto& child : children_) start(*child);
    if (admin_) admin_->start(signals_);
  } catch (const std::exception& error) {
    log_("cannot start: {}", explain(error));
    failed_ = true;
    drain();
  }
  while (state_ != State::ended) ring_.run_once();
  if (admin_) admin_->finish();
  if (served_) statistics_.report_summary(log_, ring_.now_ns());
  report_end();
  end_ring(ring_);  // what is armed (the tick, the signals, a write) points into this object
  return failed_ ? 1 : 0;
}

// --- starting and restarting ---

void Supervisor::start(Child& child) {
  const Listener& listener = *listeners_.of(child.index);
  const unsigned block = layout_.block_of(child.index);
  child.start(options_.worker_main,
              {.index = child.index,
               .cpu = layout_.has_reactors() ? -1 : listeners_.cpu(child.index),
               .listener_fd = listener.fd(),
               .listener_passed = listeners_.passed(),
               .stats = &statistics_.block(block),
               .counters = statistics_.own(block),
               .blocks = &statistics_.shared()},
              signals_, options_.drain_deadline_ms / 1000 + 2);
}

void Supervisor::restart_due() {
  for (auto& child : children_) {
    if (state_ != State::serving || !child->may_start()) continue;
    // No process, no descriptor: the others go on serving meanwhile.
    try {
      if (listeners_.of(child->index) == nullptr) listeners_.open_again(child->index);
      start(*child);
    } catch (const std::exception& error) {
      log_("worker {}: {}; tried again in {} s", child->index, explain(error),
           RestartPolicy::retry_ms / 1000);
      child->plan_restart_in(RestartPolicy::retry_ms);
    }
  }
}

void Supervisor::on_worker_ready(Child& child) {
  if (state_ == State::serving) log_("worker {} serves again", child.index);
  const bool all = std::all_of(children_.begin(), children_.end(),
                               [](const auto& each) { return each->serves(); });
  if (state_ != State::starting || !all) return;
  state_ = State::serving;
  served_ = true;
  log_("{}; {}", options_.describe(options_.worker_main.argument, child.report()),
       layout_.describe(listeners_.steering_words()));
  announce();
}

// Where standard output is for programs that read it, the log says it.
void Supervisor::announce() {
  const std::string where = listeners_.address();
  const std::string line = "listening on " + where;
  manager_.ready(line);
  if (options_.stdout_is_data || options_.stats_json == "-") {
    log_("{}", line);
  } else {
    stdout_.write(line + "\n");
  }
  if (!options_.hint.empty()) log_("{}", with_place(options_.hint, where));
}

void Supervisor::on_worker_ended(Child& child) {
  const int status = child.end_status();
  const std::string end = describe_end(status, child.was_killed());
  const std::uint64_t lost = statistics_.lost(child.index);
  const std::string what =
      fmt::format("worker {} (process {}) {}{}, {} connection{} with it", child.index, child.pid(),
                  end, state_ == State::draining ? " while it drained" : "", lost, plural(lost));
  if (state_ == State::serving) {
    plan_restart(child, what);
  } else if (served_ && status != 0) {
    failed_ = true;
    log_("{}", what);
  } else if (!served_ && status != 0 && child.report().error[0] == '\0') {
    log_("worker {} could not start: it {}", child.index, end);
  }
  if (state_ == State::starting) {
    failed_ = true;
    drain();
  }
  if (state_ == State::draining && all_ended()) state_ = State::ended;
}

void Supervisor::plan_restart(Child& child, const std::string& what) {
  const RestartPolicy::Decision next = child.plan_restart();
  const bool somebody_serves = std::any_of(children_.begin(), children_.end(),
                                           [](const auto& each) { return each->serves(); });
  const std::string when = next.pause_ms == 0 ? "at once" : fmt::format("in {} ms", next.pause_ms);
  log_("{}; the next one starts {}{}", what, when,
       somebody_serves ? "" : "; nobody serves until then");
  if (!next.gives_up) return;
  const std::string died = next.again
                               ? "died again"
                               : fmt::format("died {} times within {} s", RestartPolicy::deaths_max,
                                             RestartPolicy::window_ms / 1000);
  const std::uint64_t retry_s = RestartPolicy::retry_ms / 1000;
  if (listeners_.may_give_up(child.index)) {
    const unsigned waiting = listeners_.of(child.index)->waiting();
    log_(
        "worker {} {}: its listener is closed, tried again every {} s; {} client{} that waited "
        "there reset",
        child.index, died, retry_s, waiting, plural(waiting));
    listeners_.give_up(child.index);
  } else if (listeners_.of(child.index) != nullptr) {
    log_("worker {} {}: tried again every {} s; {}", child.index, died, retry_s,
         listeners_.waiting_words());
  }
}

// --- watching ---

void Supervisor::on_signal(Cqe) noexcept {
  while (const int signal = signals_.next()) {
    // SIGHUP never ends a server that reloads: who sends it may not know that it drains.
    const bool reloads = read_anew(signal);
    if (ServerSignals::asks_for_statistics(signal)) {
      statistics_.report_interval(log_, ring_.now_ns(), true);
      reported_ms_ = now_ms();
    } else if (reloads) {
      continue;
    } else if (state_ == State::draining) {
      if (signal == drain_signal_ && now_ms() - drain_ms_ < told_twice_ms) continue;
      log_("SIG{}, the second signal: stopping at once", sigabbrev_np(signal));
      stop_now();
    } else if (state_ != State::ended) {
      log_(
          "SIG{}: draining: no more accepts, up to {} ms for what is open; once more stops at once",
          sigabbrev_np(signal), options_.drain_deadline_ms);
      drain_signal_ = signal;
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
  for (auto& child : children_) child->give_up_ring();
  if (admin_) admin_->tick(signals_, tick_ms);
  tell_manager();
  if (state_ == State::serving) {
    watch();
    restart_due();
    if (options_.stats_interval_ms != 0 && now_ms() - reported_ms_ >= options_.stats_interval_ms) {
      statistics_.report_interval(log_, ring_.now_ns(), false);
      reported_ms_ = now_ms();
    }
  } else if (state_ == State::draining) {
    if (now_ms() - drain_ms_ > options_.drain_deadline_ms + kill_after_deadline_ms) stop_now();
  } else if (state_ == State::ended) {
    ++last_ticks_;
  }
}

// A worker writes no line of its own; what it counts is said here.
void Supervisor::watch() {
  alarms_.look(statistics_.shared(), layout_.blocks(), now_ms(), log_);
  if (children_.front()->serves()) reactors_.look(statistics_.shared(), tick_ms, log_);
  for (auto& child : children_) {
    const unsigned block = layout_.block_of(child->index);
    if (const std::uint64_t silent = child->silent_ms(statistics_.block(block), tick_ms)) {
      log_("worker {} (process {}) gave no sign of life for {} ms: killed", child->index,
           child->pid(), silent);
      child->end();
    }
    const std::uint64_t shed = statistics_.of_process(child->index, Stat::shed);
    if (const std::uint64_t grew = child->untold_shed(shed)) {
      log_("worker {}: buffers ran out, reset {} client{} that did not read ({} so far)",
           child->index, grew, plural(grew), shed);
    }
  }
}

// --- reading anew ---

void Supervisor::on_read_anew(Reloading<Supervisor>& what) {
  for (auto& child : children_) {
    if (child->running()) pass_on(what, *child);
  }
}

// One that cannot get it is started again, and inherits it.
void Supervisor::pass_on(Reloading<Supervisor>& what, Child& child) {
  try {
    if (child.send_parcels(what, layout_.workers / layout_.processes())) return;
    log_("worker {} does not take what was read anew: started again", child.index);
  } catch (const std::exception& error) {
    log_("worker {}: {}: started again", child.index, explain(error));
  }
  child.drain();
}

// --- stopping ---

void Supervisor::drain() {
  state_ = State::draining;
  drain_ms_ = now_ms();
  manager_.stopping(options_.drain_deadline_ms + 2 * kill_after_deadline_ms);
  listeners_.close_all();
  for (auto& child : children_) child->drain();
  if (all_ended()) state_ = State::ended;
}

void Supervisor::stop_now() {
  failed_ = true;
  for (auto& child : children_) child->end();
}

// The last lines wait for who reads them, a second at most, and the statistics before them.
void Supervisor::report_end() {
  if (const std::uint64_t resets = statistics_.drain_resets()) {
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

}  // namespace lab
