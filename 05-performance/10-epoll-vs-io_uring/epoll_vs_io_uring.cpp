// shows: the same echo on epoll and on io_uring, for the same client: system calls, time and CPU
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN)
// try:   ./lab run 05-10; then make message_size 16384, and see what is left of the difference
#include <liburing.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <tuple>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned connections_max = 64;
constexpr unsigned buffer_count = 128;  // Linux 6.1 takes one more to find a socket empty
constexpr unsigned message_size = 64;
constexpr unsigned requests_per_round = 640;
constexpr std::uint64_t send_tag = 1000;  // smaller: a receive of that connection

enum Way : unsigned { on_epoll, on_io_uring };
using Connections = std::array<int, connections_max>;

// What the client shall do in the next round. It ends when the socket that brings this ends.
struct Order {
  unsigned way, connections;
};

struct Echo {
  std::array<Connections, 2> servers{};  // for each Way: an armed receive takes what comes
  int client = -1;                       // orders out, a byte in for each batch of questions
  int epoll = -1;
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, message_size>, buffer_count> buffers{};
  std::uint64_t calls = 0;
};

// The client is a process of its own, so that this process's CPU time is the server's alone.
[[noreturn]] void run_client(int server, const std::array<Connections, 2>& clients) {
  Order order{};
  const std::string message(message_size, 'm');
  while (read(server, &order, sizeof order) == sizeof order) {
    const Connections& all = clients[order.way];
    for (unsigned done = 0; done < requests_per_round; done += order.connections) {
      for (unsigned i = 0; i < order.connections; ++i) lab::send_all(all[i], message);
      lab::send_all(server, "!");
      for (unsigned i = 0; i < order.connections; ++i) {
        if (lab::receive(all[i], message_size) != message) _exit(1);
      }
    }
  }
  _exit(0);
}

void close_all(const std::array<Connections, 2>& both) {
  for (const Connections& one : both) {
    for (const int fd : one) close(fd);
  }
}

pid_t start_client(Echo& echo) {
  std::array<Connections, 2> clients{};
  for (const Way way : {on_epoll, on_io_uring}) {
    for (unsigned i = 0; i < connections_max; ++i) {
      std::tie(echo.servers[way][i], clients[way][i]) = lab::connected_pair();
    }
  }
  std::array<int, 2> ends{};
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), "socketpair");
  const pid_t client = lab::need_errno(fork(), "fork");
  close(ends[client == 0 ? 1 : 0]);
  if (client == 0) run_client(ends[0], clients);
  close_all(clients);
  echo.client = ends[1];
  return client;
}

// [walk await]
// Before a batch: until all its questions are there. So both find what a busy server finds.
void await_batch(const Echo& echo) {
  if (lab::receive(echo.client, 1).empty()) lab::fail("the client is gone");
}
// [/walk]

// [walk epoll]
// epoll says who is ready; each receive and each send is a call of ours.
void serve_on_epoll(Echo& echo, unsigned connections) {
  std::array<epoll_event, connections_max> events{};
  std::array<char, message_size> buffer{};
  for (unsigned answered = 0, batch = 0; answered < requests_per_round;) {
    if (answered == batch) {
      await_batch(echo);
      batch += connections;
    }
    const int ready = epoll_wait(echo.epoll, events.data(), connections_max, -1);
    ++echo.calls;
    for (int i = 0; i < lab::need_errno(ready, "epoll_wait"); ++i, ++answered) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (recv(fd, buffer.data(), buffer.size(), 0) != message_size) lab::fail("a short message");
      if (send(fd, buffer.data(), buffer.size(), 0) != message_size) lab::fail("a short send");
      echo.calls += 2;
    }
  }
}
// [/walk]

void provide(Echo& echo, unsigned id) {
  io_uring_buf_ring_add(echo.provided, echo.buffers[id].data(), message_size,
                        static_cast<unsigned short>(id), buffer_count - 1, 0);
  io_uring_buf_ring_advance(echo.provided, 1);
}

// [walk ring]
// The messages are received already when we hear of them; one call submits all answers.
void serve_on_io_uring(Echo& echo, unsigned connections) {
  for (unsigned answered = 0, batch = 0; answered < requests_per_round;) {
    if (answered == batch) {
      await_batch(echo);
      batch += connections;
    }
    ++echo.calls;
    lab::need(io_uring_submit_and_wait(&echo.ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&echo.ring, &cqe) == 0) {
      const io_uring_cqe copy = *cqe;
      io_uring_cqe_seen(&echo.ring, cqe);
      if (copy.res != message_size) lab::fail("not a whole message");
      if (copy.user_data >= send_tag) {
        provide(echo, static_cast<unsigned>(copy.user_data - send_tag));
        ++answered;
        continue;
      }
      const unsigned buffer = copy.flags >> IORING_CQE_BUFFER_SHIFT;
      io_uring_sqe* sqe = io_uring_get_sqe(&echo.ring);
      io_uring_prep_send(sqe, echo.servers[on_io_uring][copy.user_data],
                         echo.buffers[buffer].data(), message_size, 0);
      io_uring_sqe_set_data64(sqe, send_tag + buffer);
    }
  }
}
// [/walk]

lab::Round serve(Echo& echo, Way way, unsigned connections) {
  const Order order{way, connections};
  lab::send_all(echo.client, {reinterpret_cast<const char*>(&order), sizeof order});
  echo.calls = 0;
  (way == on_epoll ? serve_on_epoll : serve_on_io_uring)(echo, connections);
  return {requests_per_round, static_cast<double>(echo.calls) / requests_per_round};
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  Echo echo;
  const pid_t client = start_client(echo);
  echo.epoll = lab::need_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const int made = io_uring_queue_init(2 * connections_max, &echo.ring,
                                       IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init");
  lesson.watch(echo.ring);
  int error = 0;
  echo.provided = io_uring_setup_buf_ring(&echo.ring, buffer_count, 0, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) provide(echo, id);
  for (unsigned i = 0; i < connections_max; ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = echo.servers[on_epoll][i]}};
    lab::need_errno(epoll_ctl(echo.epoll, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
    io_uring_sqe* sqe = io_uring_get_sqe(&echo.ring);
    io_uring_prep_recv_multishot(sqe, echo.servers[on_io_uring][i], nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data64(sqe, i);
  }

  lab::Knob knob(lesson, {"loops", "The same echo of 64 bytes, on epoll and on a ring", "request",
                          "clients", "calls a request"});
  for (const unsigned count : {1U, 4U, 16U, connections_max}) {
    for (const Way way : {on_epoll, on_io_uring}) {
      const auto round = [&echo, way, count] { return serve(echo, way, count); };
      knob.add(way == on_epoll ? "epoll" : "ring", round, count);
    }
  }
  knob.run();
  const double many = knob.extra("epoll", connections_max);
  std::printf("1 connection\n  epoll: %.0f calls a request\n", knob.extra("epoll", 1));
  std::printf("  io_uring: 2 or less: %s\n", knob.extra("ring", 1) <= 2 ? "yes" : "no");
  const double few = knob.extra("ring", connections_max);
  std::printf("64 connections\n  epoll: %s calls a request\n", many < 2.5 ? "over 2" : "3");
  lab::effect(few < 0.5, "  io_uring: less than half a call", lab::figure(few, "a request"));
  close(echo.client);  // the client ends
  int status = 0;
  if (waitpid(client, &status, 0) != client || status != 0) lab::fail("a wrong answer came");
  io_uring_free_buf_ring(&echo.ring, echo.provided, buffer_count, 0);
  io_uring_queue_exit(&echo.ring);
  close(echo.epoll);
  close_all(echo.servers);
  return lab::ok();
}
