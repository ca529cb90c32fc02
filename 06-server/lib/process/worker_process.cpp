#include "06-server/lib/process/worker_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/os/child.hpp"
#include "06-server/lib/process/explain.hpp"

namespace lab {

namespace {

// Everything but the standard three and what the worker was given.
void close_other_fds(std::vector<int> keep) {
  std::erase_if(keep, [](int fd) { return fd < 0; });
  std::sort(keep.begin(), keep.end());
  unsigned from = 3;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > from) close_descriptors(from, kept - 1);
    from = std::max(from, kept + 1);
  }
  close_descriptors(from, ~0U);
}

// What the handler below may look at, in a worker.
struct {
  pid_t parent = -1;
  int control_fd = -1;
  int listener_fd = -1;  // where it was passed
  int no_socket = -1;    // then takes its place
  unsigned alarm_seconds = 0;
} in_worker;

// The supervisor died. Its end of the control socket closes when the kernel has cleaned up behind
// it, which on a busy machine is seconds later: our end says the same to our ring at once. A
// listener that was passed is somebody else's, too, and by this way alone such a worker drains:
// what is accepted already keeps the socket, and the engine's shutdown() finds none. All of this is
// safe in a handler, signal-safety(7).
void on_supervisor(int, siginfo_t* info, void*) {
  const bool orphan = getppid() != in_worker.parent;
  const bool told = in_worker.listener_fd >= 0 && info->si_pid == in_worker.parent;
  if (!orphan && !told) return;  // the signal came from somebody else
  const int error = errno;
  if (in_worker.listener_fd >= 0) dup2(in_worker.no_socket, in_worker.listener_fd);
  if (orphan) alarm(in_worker.alarm_seconds);
  shutdown(in_worker.control_fd, SHUT_RD);
  errno = error;
}

// @param keep more descriptors that it keeps open
[[noreturn]] void become_worker(const WorkerMain& main, const WorkerContext& context,
                                const ServerSignals& signals, std::vector<int> keep) {
  int code = 1;
  try {
    if (main.descriptors != nullptr) {
      for (const std::vector<int>& list : *main.descriptors)
        keep.insert(keep.end(), list.begin(), list.end());
    }
    keep.insert(keep.end(), {context.listener_fd, context.control_fd});
    close_other_fds(std::move(keep));
    if (context.cpu >= 0) pin_to_cpu(context.cpu);
    signals.ignore_all();
    if (context.listener_passed) {
      in_worker.no_socket = check_errno(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
    }
    struct sigaction action {};
    action.sa_sigaction = &on_supervisor;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR2, &action, nullptr);
    signal_at_parent_death(SIGUSR2);
    if (getppid() != in_worker.parent) _exit(1);  // the parent died before the line above
    code = main.function(main.argument, context);
  } catch (const std::exception& error) {
    WorkerReport report;
    std::snprintf(report.error, sizeof report.error, "%s", explain(error).c_str());
    send(context.control_fd, &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  _exit(code);  // no destructors and no flush of stdio: those are the supervisor's
}

}  // namespace

WorkerProcess WorkerProcess::start(const WorkerMain& main, WorkerContext context,
                                   const ServerSignals& signals, unsigned drain_alarm_seconds) {
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  WorkerProcess process;
  process.control = Fd(pair[0]);
  Fd theirs(pair[1]);
  context.control_fd = theirs.get();
  in_worker = {.parent = getpid(),
               .control_fd = theirs.get(),
               .listener_fd = context.listener_passed ? context.listener_fd : -1,
               .alarm_seconds = drain_alarm_seconds};
  WatchedFork child = fork_watched();
  if (child.pid == 0) {
    theirs.release();
    // When a supervisor dies its files are closed before its children get the signal, and a worker
    // that heard of the end first would shut down a socket that was passed. With both ends open
    // nothing but its handler tells it. Where no such signal comes, it hears of the end.
#ifndef LAB_WITHOUT_IO_URING
    const int other_end = context.listener_passed ? process.control.release() : -1;
#else
    const int other_end = -1;
#endif
    become_worker(main, context, signals, {child.keep, other_end});
  }
  process.pid = child.pid;
  process.pidfd = std::move(child.ended);
  return process;
}

char process_state(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && name_end + 2 < line.size() ? line[name_end + 2] : ' ';
}

std::string describe_end(int status, bool by_us) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was ended by signal {} ({}){}", WTERMSIG(status),
                       strsignal(WTERMSIG(status)),
                       WTERMSIG(status) == SIGKILL && !by_us
                           ? ", by hand or by the kernel because memory ran out (dmesg says which)"
                           : "");
  }
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

}  // namespace lab
