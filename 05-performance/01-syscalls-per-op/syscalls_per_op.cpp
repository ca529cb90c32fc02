// shows: the same work with many system calls and with few, counted: NOPs, a timer, an echo
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN)
// try:   ./lab run 05-01; then make connection_count 8, and see which figure grows and why
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned connection_count = 64;
constexpr unsigned buffer_count = 128;  // Linux 6.1 takes one more to find a socket empty
constexpr unsigned message_size = 64;
constexpr unsigned rounds_of_echoes = 6;
constexpr std::uint64_t send_tag = 1000;  // smaller: a receive of that connection

struct Echo {
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, message_size>, buffer_count> buffers{};
  std::array<int, connection_count> servers{};
  std::array<int, connection_count> clients{};
  std::uint64_t calls = 0;
};

// [walk enter]
// The only place of this program that enters the kernel for a ring: so they can be counted.
void enter(Echo& echo, unsigned wait_nr) {
  ++echo.calls;
  lab::need(io_uring_submit_and_wait(&echo.ring, wait_nr), "io_uring_submit_and_wait");
}
// [/walk]

// [walk nops]
lab::Round nops(Echo& echo, unsigned batch) {
  constexpr std::uint64_t count = 6'400;
  const std::uint64_t calls_before = echo.calls;
  for (std::uint64_t done = 0; done < count; done += batch) {
    for (unsigned i = 0; i < batch; ++i) io_uring_prep_nop(io_uring_get_sqe(&echo.ring));
    enter(echo, batch);
    io_uring_cq_advance(&echo.ring, batch);
  }
  return {count, static_cast<double>(echo.calls - calls_before) / count};
}
// [/walk]

// A timer is not over when the submit returns. So a wait comes on top, or it is in the same call.
void timer(Echo& echo, bool in_one_call) {
  const std::uint64_t calls_before = echo.calls;
  __kernel_timespec short_time{.tv_sec = 0, .tv_nsec = 1'000'000};
  io_uring_prep_timeout(io_uring_get_sqe(&echo.ring), &short_time, 0, 0);
  if (!in_one_call) enter(echo, 0);
  enter(echo, 1);
  io_uring_cq_advance(&echo.ring, 1);
  std::printf("a timer, %s: %llu\n", in_one_call ? "submit and wait in one" : "submit, then wait",
              static_cast<unsigned long long>(echo.calls - calls_before));
}

void provide(Echo& echo, unsigned id) {
  io_uring_buf_ring_add(echo.provided, echo.buffers[id].data(), message_size,
                        static_cast<unsigned short>(id), buffer_count - 1, 0);
  io_uring_buf_ring_advance(echo.provided, 1);
}

void prepare_send(Echo& echo, std::size_t connection, unsigned buffer) {
  io_uring_sqe* sqe = io_uring_get_sqe(&echo.ring);
  io_uring_prep_send(sqe, echo.servers[connection], echo.buffers[buffer].data(), message_size, 0);
  io_uring_sqe_set_data64(sqe, send_tag + buffer);
}

void take_whole_message(Echo& echo) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_peek_cqe(&echo.ring, &cqe), "io_uring_peek_cqe");
  if (cqe->res != message_size) lab::fail("a message came in parts");
  io_uring_cqe_seen(&echo.ring, cqe);
}

// [walk one-by-one]
// As one would write it with recv() and send().
void serve_one_by_one(Echo& echo) {
  for (unsigned i = 0; i < connection_count; ++i) {
    io_uring_sqe* sqe = io_uring_get_sqe(&echo.ring);
    io_uring_prep_recv(sqe, echo.servers[i], echo.buffers[i].data(), message_size, 0);
    enter(echo, 1);
    take_whole_message(echo);
    prepare_send(echo, i, i);
    enter(echo, 1);
    take_whole_message(echo);
  }
}
// [/walk]

// [walk turns]
// The receives stay with the kernel; a call submits all sends of a turn and waits for the next one.
void serve_in_turns(Echo& echo) {
  unsigned answered = 0;
  while (answered < connection_count) {
    enter(echo, 1);
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&echo.ring, &cqe) == 0) {
      const io_uring_cqe copy = *cqe;
      io_uring_cqe_seen(&echo.ring, cqe);
      if (copy.res != message_size) lab::fail("a message came in parts");
      if (copy.user_data >= send_tag) {
        provide(echo, static_cast<unsigned>(copy.user_data - send_tag));
        ++answered;
      } else {
        prepare_send(echo, copy.user_data, copy.flags >> IORING_CQE_BUFFER_SHIFT);
      }
    }
  }
}
// [/walk]

// [walk receives]
void start_receives(Echo& echo) {
  for (std::size_t i = 0; i < connection_count; ++i) {
    io_uring_sqe* sqe = io_uring_get_sqe(&echo.ring);
    io_uring_prep_recv_multishot(sqe, echo.servers[i], nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 1;
    io_uring_sqe_set_data64(sqe, i);
  }
  enter(echo, 0);
}
// [/walk]

// Every client asks, the server answers all, every client reads: in one thread.
lab::Round echoes(Echo& echo, void (*serve)(Echo&)) {
  const std::uint64_t calls_before = echo.calls;
  for (unsigned round = 0; round < rounds_of_echoes; ++round) {
    const std::string message(message_size, static_cast<char>('a' + round));
    for (const int client : echo.clients) lab::send_all(client, message);
    for (const int server : echo.servers) lab::await_bytes(server, message_size);
    serve(echo);
    for (const int client : echo.clients) {
      if (lab::receive(client, message_size) != message) lab::fail("a wrong answer");
    }
  }
  constexpr std::uint64_t requests = rounds_of_echoes * connection_count;
  return {requests, static_cast<double>(echo.calls - calls_before) / requests};
}

void open(Echo& echo) {
  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int made = io_uring_queue_init(128, &echo.ring, flags);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init");
  int error = 0;
  echo.provided = io_uring_setup_buf_ring(&echo.ring, buffer_count, 1, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) provide(echo, id);
  for (unsigned id = 0; id < connection_count; ++id) {
    const auto [server, client] = lab::connected_pair();
    echo.servers[id] = server;
    echo.clients[id] = client;
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  Echo echo;
  Echo turns;
  open(echo);
  open(turns);
  start_receives(turns);
  lesson.watch(turns.ring);

  timer(echo, false);
  timer(echo, true);

  lab::Knob knob(lesson, {.name = "nops",
                          .title = "NOPs: one a system call, and 32",
                          .operation = "NOP",
                          .extra = "calls per NOP"});
  knob.add("1 a call", [&] { return nops(echo, 1); });
  knob.add("32 a call", [&] { return nops(echo, 32); });
  knob.run();
  std::printf("32 NOPs a call: %g call for 32 NOPs\n", 32 * knob.extra("32 a call"));
  const double cpu = knob.cpu_ratio("32 a call").median;
  lab::effect(cpu < 0.6, "each takes much less CPU time", lab::figure(cpu, "times the CPU time"));

  lab::Knob served(lesson, {.name = "echo",
                            .title = "An echo of 64 B, 64 connections, client in the same thread",
                            .operation = "request",
                            .extra = "calls per request"});
  served.add("one by one", [&] { return echoes(echo, serve_one_by_one); });
  served.add("in turns", [&] { return echoes(turns, serve_in_turns); });
  served.run();
  std::printf("one by one: %g calls a request\n", served.extra("one by one"));
  std::printf("in turns: a tenth of a call a request, or less: %s\n",
              served.extra("in turns") <= 0.1 ? "yes" : "no");

  for (Echo* one : {&echo, &turns}) {
    io_uring_free_buf_ring(&one->ring, one->provided, buffer_count, 1);
    io_uring_queue_exit(&one->ring);
    for (const int fd : one->servers) close(fd);
    for (const int fd : one->clients) close(fd);
  }
  return lab::ok();
}
