#include "05-performance/epoll-echo/epoll_worker.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

constexpr std::size_t events_max = 512;
// How many full buffers one connection may send before it is the others' turn.
constexpr int turns_max = 8;
constexpr int accepts_max = 64;

}  // namespace

EpollWorker::EpollWorker(const EpollOptions& options, int listener, EpollStatistics& statistics)
    : options_(options),
      listener_(listener),
      statistics_(statistics),
      epoll_(check_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      buffer_(options.buffer_size) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  signals_ = Fd(check_errno(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  watch(signals_.get(), EPOLLIN, &signals_);
  watch(listener_, EPOLLIN, this);
}

void EpollWorker::run() {
  std::array<epoll_event, events_max> events;
  for (;;) {
    // Descriptors may run out for the whole process's neighbours' sake, and none of ours closes
    // then.
    const int timeout_ms = !again_.empty()                                   ? 0
                           : accepting_ || open_ >= options_.connections_max ? -1
                                                                             : 100;
    const int ready = epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
    ++statistics_.system_calls;
    if (ready < 0 && errno != EINTR) check_errno(ready, "epoll_wait");
    if (ready == 0 && !accepting_ && open_ < options_.connections_max) accept_again();

    bool accept_due = false;
    for (int index = 0; index < ready; ++index) {
      const epoll_event& event = events[static_cast<std::size_t>(index)];
      if (event.data.ptr == &signals_) return;
      if (event.data.ptr == this) {
        accept_due = true;
      } else {
        on_event(*static_cast<EpollConnection*>(event.data.ptr), event.events);
      }
    }
    for (EpollConnection* connection : std::exchange(again_, {})) {
      // It may have been closed meanwhile, and its place taken by another.
      if (!std::exchange(connection->queued, false)) continue;
      echo(*connection);
    }
    // Last, so that no event of this batch can meet a descriptor that has a new owner.
    if (accept_due) on_accept();
  }
}

void EpollWorker::on_accept() {
  for (int count = 0; count < accepts_max; ++count) {
    if (open_ >= options_.connections_max) return pause_accepting();
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ++statistics_.system_calls;
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting();
      // Anything else is EAGAIN, or a connection that was gone before it was accepted.
      return;
    }
    const std::size_t index = static_cast<std::size_t>(fd);
    if (connections_.size() <= index) connections_.resize(index + 1);
    if (!connections_[index]) connections_[index] = std::make_unique<EpollConnection>();
    EpollConnection& connection = *connections_[index];
    connection.fd = Fd(fd);
    ++open_;
    ++statistics_.connections;
    watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &connection);
  }
}

void EpollWorker::on_event(EpollConnection& connection, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) return close(connection);
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) connection.end_seen = true;
  // Its turn comes after this batch. Reading now could leave a rest, which that turn would
  // overwrite.
  if (connection.queued) return;
  if (connection.has_rest()) {
    // More to read is no news while there is a rest; room to send is.
    if ((events & (EPOLLOUT | EPOLLHUP)) == 0) return;
    if (!flush(connection)) return;
  }
  echo(connection);
}

// Reads and sends until the socket is empty, or full, or its turns are used up.
void EpollWorker::echo(EpollConnection& connection) {
  for (int turn = 0; turn < turns_max; ++turn) {
    const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    ++statistics_.system_calls;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return close(connection);
    const std::size_t size = static_cast<std::size_t>(count);
    ++statistics_.requests;
    statistics_.bytes += size;
    if (!send_or_keep(connection, size)) return;
    // A buffer that did not become full emptied the socket, and whatever comes now makes a new
    // edge: one recv saved. Only a FIN that epoll has reported already makes none (epoll(7),
    // questions 9 and 10).
    if (size < buffer_.size() && !connection.end_seen) return;
  }
  connection.queued = true;
  again_.push_back(&connection);
}

// Sends the first `size` bytes of the buffer. False when the connection keeps a rest, or is closed.
bool EpollWorker::send_or_keep(EpollConnection& connection, std::size_t size) {
  ssize_t sent = send(connection.fd.get(), buffer_.data(), size, MSG_NOSIGNAL);
  ++statistics_.system_calls;
  if (sent == static_cast<ssize_t>(size)) return true;
  if (sent < 0) {
    if (errno != EAGAIN) {
      close(connection);
      return false;
    }
    sent = 0;
  }
  // The buffer is made once a peer is slow and then kept: most peers never are.
  if (!connection.rest) connection.rest = std::make_unique<std::byte[]>(buffer_.size());
  connection.rest_begin = 0;
  connection.rest_end = size - static_cast<std::size_t>(sent);
  std::memcpy(connection.rest.get(), buffer_.data() + sent, connection.rest_end);
  return false;
}

// Sends what the connection keeps. True when nothing is left.
bool EpollWorker::flush(EpollConnection& connection) {
  const ssize_t sent = send(connection.fd.get(), connection.rest.get() + connection.rest_begin,
                            connection.rest_end - connection.rest_begin, MSG_NOSIGNAL);
  ++statistics_.system_calls;
  if (sent < 0) {
    if (errno != EAGAIN) close(connection);
    return false;
  }
  connection.rest_begin += static_cast<std::size_t>(sent);
  return !connection.has_rest();
}

void EpollWorker::close(EpollConnection& connection) {
  // Its object stays for the next owner of the descriptor, and gives back the large part of its
  // memory.
  connection = EpollConnection{};
  ++statistics_.system_calls;
  --open_;
  if (!accepting_) accept_again();
}

void EpollWorker::accept_again() {
  accepting_ = true;
  watch(listener_, EPOLLIN, this);
}

// Clients wait in the backlog meanwhile; left in epoll, the listener would be ready all the time.
void EpollWorker::pause_accepting() {
  accepting_ = false;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  ++statistics_.system_calls;
}

// EPOLLOUT stands in the edge-triggered mask from the start: it wakes nobody until a send has found
// the socket full, and a blocked send needs no epoll_ctl.
void EpollWorker::watch(int fd, std::uint32_t events, void* owner) {
  epoll_event event = {.events = events, .data = {.ptr = owner}};
  check_errno(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  ++statistics_.system_calls;
}

}  // namespace lab
