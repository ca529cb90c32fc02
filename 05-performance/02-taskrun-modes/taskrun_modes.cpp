// shows: how often each task-work mode interrupts a thread that computes, and what an echo pays
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN)
// try:   ./lab run 05-02; then ./lab run 05-02 31 on a quiet machine, and compare the CPU columns
#include <liburing.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"

namespace {

struct Mode {
  const char* name;
  unsigned flags;
};
// [walk modes]
constexpr unsigned defer = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr std::array<Mode, 3> modes = {Mode{"default", 0}, Mode{"COOP", IORING_SETUP_COOP_TASKRUN},
                                       Mode{"DEFER", defer}};
// [/walk]

constexpr unsigned connection_count = 64;
constexpr unsigned message_size = 64;
constexpr std::uint64_t send_tag = 1000;  // plus the connection; smaller: a receive
constexpr int message_count = 20;

void open(io_uring& ring, const Mode& mode) {
  const int made = io_uring_queue_init(256, &ring, mode.flags);
  if (made == -EINVAL) lab::skip(std::string("needs Linux 6.1: ") + mode.name);
  lab::need(made, "io_uring_queue_init");
}

// The thread that is measured has processor 0, the other one processor 1: so they can disturb each
// other only by interrupts.
void stay_on(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) lab::skip("needs the processors 0 and 1");
}

// A thread computes and makes no system call. Another one sends it messages, one at a time: the
// next when the answer has appeared, or the first thread has computed for a long while without it.
// Returns how often answers appeared: each time something had taken the thread into the kernel and
// back.
int interruptions(const Mode& mode) {
  io_uring ring;
  open(ring, mode);
  int ends[2];
  lab::need_errno(pipe(ends), "pipe");
  std::array<char, message_count> bytes;
  for (char& byte : bytes) io_uring_prep_read(io_uring_get_sqe(&ring), ends[0], &byte, 1, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");

  std::atomic<unsigned> turns = 0;
  std::atomic<int> moments = 0;
  std::atomic<bool> all_sent = false;
  // [walk writer]
  std::thread writer([&] {
    stay_on(1);
    for (int sent = 0; sent < message_count; ++sent) {
      const int before = moments;
      lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write");
      const unsigned then = turns;
      while (moments == before && turns - then < 100'000) {
      }
    }
    all_sent = true;
  });
  // [/walk]
  // [walk computes]
  for (unsigned seen = 0; !all_sent; turns.store(turns + 1, std::memory_order_relaxed)) {
    const unsigned ready = io_uring_cq_ready(&ring);
    if (ready != seen) ++moments;
    seen = ready;
  }
  // [/walk]
  writer.join();
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe_nr(&ring, &cqe, message_count), "io_uring_wait_cqe_nr");
  close(ends[0]);
  close(ends[1]);
  io_uring_queue_exit(&ring);
  return moments;
}

struct Server {
  io_uring ring{};
  std::array<std::array<char, message_size>, connection_count> messages{};
  std::array<int, connection_count> fds{};
  std::array<int, connection_count> clients{};
};

void start(Server& server, std::size_t connection, bool is_send) {
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  char* bytes = server.messages[connection].data();
  if (is_send) {
    io_uring_prep_send(sqe, server.fds[connection], bytes, message_size, 0);
  } else {
    io_uring_prep_recv(sqe, server.fds[connection], bytes, message_size, 0);
  }
  io_uring_sqe_set_data64(sqe, connection + (is_send ? send_tag : 0));
}

void open_server(Server& server, const Mode& mode) {
  open(server.ring, mode);
  for (std::size_t i = 0; i < connection_count; ++i) {
    std::tie(server.fds[i], server.clients[i]) = lab::connected_pair();
    start(server, i, false);
  }
}

void close_server(Server& server) {
  for (const int fd : server.clients) close(fd);
  io_uring_queue_exit(&server.ring);
  for (const int fd : server.fds) close(fd);
}

// What other processors sent to processor 0: the first column of two rows of a table.
double interrupts() {
  std::ifstream table("/proc/interrupts");
  double sum = 0;
  for (std::string cell; table >> cell;) {
    double count = 0;
    if (cell == "RES:" || cell == "CAL:") table >> count;
    sum += count;
  }
  return sum;
}

// An echo in this thread, its clients in another one.
lab::Round echoes(Server& server) {
  constexpr unsigned rounds = 2;
  constexpr unsigned requests = rounds * connection_count;
  std::thread client([&] {
    stay_on(1);
    const std::string message(message_size, 'm');
    for (unsigned round = 0; round < rounds; ++round) {
      for (const int fd : server.clients) lab::send_all(fd, message);
      for (const int fd : server.clients) lab::receive(fd, message_size);
    }
  });
  const double interrupts_before = interrupts();
  // [walk turn]
  for (unsigned answered = 0; answered < requests;) {
    lab::need(io_uring_submit_and_wait(&server.ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&server.ring, &cqe) == 0) {
      if (cqe->res != message_size) lab::fail("a message came in parts");
      const bool was_send = cqe->user_data >= send_tag;
      start(server, cqe->user_data % send_tag, !was_send);
      answered += was_send ? 1 : 0;
      io_uring_cqe_seen(&server.ring, cqe);
    }
  }
  // [/walk]
  const double interrupted = interrupts() - interrupts_before;
  client.join();
  return {requests, interrupted / requests};
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  stay_on(0);
  std::array<Server, modes.size()> servers;
  for (std::size_t i = 0; i < modes.size(); ++i) open_server(servers[i], modes[i]);

  std::array<int, modes.size()> times{};
  for (std::size_t i = 0; i < modes.size(); ++i) {
    times[i] = interruptions(modes[i]);
    std::printf("# %s: %d answers, %d interruptions\n", modes[i].name, message_count, times[i]);
  }
  std::printf("while a thread computes, an interrupt brings it an answer\n");
  const std::string measured = std::to_string(times[0]) + " of " + std::to_string(message_count);
  lab::effect(times[0] > message_count / 2, "  default", measured, "nearly each");
  std::printf("  DEFER: %s\n", times[2] > 0 ? "it happens" : "never");

  lab::Knob knob(lesson, {.name = "taskrun",
                          .title = "An echo of 64 B, 64 connections, the client on another core",
                          .operation = "request",
                          .extra = "interrupts per request"});
  for (std::size_t i = 0; i < modes.size(); ++i) {
    knob.add(modes[i].name, [&server = servers[i]] { return echoes(server); });
  }
  lesson.watch(servers[0].ring);
  knob.run();
  for (Server& server : servers) close_server(server);
  return lab::ok();
}
