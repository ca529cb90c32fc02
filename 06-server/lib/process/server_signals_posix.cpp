#include "06-server/lib/process/server_signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

// What the handler writes to. A child has the same pipe until it ignores the signals: what it gets
// is none of the server's.
struct {
  int pipe = -1;
  pid_t owner = -1;
} server;

// write() and getpid() are safe in a handler, signal-safety. A pipe that is full holds more signals
// than anybody waits for.
void note_signal(int signal) {
  const int error = errno;
  const auto number = static_cast<unsigned char>(signal);
  const bool own = getpid() == server.owner;
  [[maybe_unused]] const ssize_t written = own ? write(server.pipe, &number, 1) : 0;
  errno = error;
}

void set_flags(int fd) {
  check_errno(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl of the pipe for signals");
  check_errno(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl of the pipe for signals");
}

template <class Function>
void for_each_of(const sigset_t& set, Function function) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    if (sigismember(&set, signal) == 1) function(signal);
  }
}

}  // namespace

ServerSignals::ServerSignals() {
  int ends[2];
  check_errno(pipe(ends), "pipe for signals");
  fd_ = Fd(ends[0]);
  Fd write_end(ends[1]);
  set_flags(fd_.get());
  set_flags(write_end.get());
  server = {.pipe = write_end.release(), .owner = getpid()};
  for_each_of(set_, [](int signal) {
    struct sigaction action {};
    action.sa_handler = &note_signal;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  });
  sigprocmask(SIG_UNBLOCK, &set_, &before_);  // hold_back_hangup()
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

ServerSignals::~ServerSignals() {
  for_each_of(set_, [](int signal) { std::signal(signal, SIG_DFL); });
  close(server.pipe);
  server = {};
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int ServerSignals::next() const noexcept {
  unsigned char number = 0;
  return read(fd_.get(), &number, 1) == 1 ? number : 0;
}

void ServerSignals::ignore_all() const noexcept {
  for_each_of(set_, [](int signal) { std::signal(signal, SIG_IGN); });
  sigprocmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace lab
