// Judges the exercise of 05-performance/01-syscalls-per-op. The learner's server runs in a child
// process; this process stops it at every system call, as strace does, counts them, and is the
// client of all its connections. Nobody edits this file.
#pragma once

#include <liburing.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace check {

inline constexpr unsigned connection_count = 128;
inline constexpr unsigned buffer_count = 256;
inline constexpr unsigned message_size = 64;
inline constexpr int group = 1;
// So many clients ask in each round; the next round begins when all of them have their answers.
inline constexpr std::array<unsigned, 10> rounds = {128, 128, 128, 1, 128, 100, 128, 128, 128, 128};

inline constexpr unsigned request_count() {
  unsigned count = 0;
  for (const unsigned asking : rounds) count += asking;
  return count;
}

/// What the learner's server has: a ring with DEFER_TASKRUN and a group of provided buffers.
struct Server {
  io_uring ring{};
  std::array<int, connection_count> fds{};  ///< the connections
  std::array<std::array<char, message_size>, buffer_count> buffers{};
  io_uring_buf_ring* provided = nullptr;

  /// Buffer `id` belongs to the kernel again, whatever is in it.
  void give_back(unsigned id) {
    buffers.at(id).fill('!');
    io_uring_buf_ring_add(provided, buffers[id].data(), message_size,
                          static_cast<unsigned short>(id), buffer_count - 1, 0);
    io_uring_buf_ring_advance(provided, 1);
  }
};

/// Answers each message with itself, and returns when request_count() answers are sent.
using Serve = void (*)(Server& server);

inline void learner(int argc, char** argv, const std::array<int, connection_count>& fds,
                    Serve serve) {
  lab::Lesson lesson(argc, argv);
  Server server;
  server.fds = fds;
  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int made = io_uring_queue_init(2 * connection_count, &server.ring, flags);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init");
  lesson.watch(server.ring);
  int error = 0;
  server.provided = io_uring_setup_buf_ring(&server.ring, buffer_count, group, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) server.give_back(id);

  raise(SIGSTOP);
  serve(server);
  raise(SIGSTOP);

  io_uring_free_buf_ring(&server.ring, server.provided, buffer_count, group);
  io_uring_queue_exit(&server.ring);
}

/// All clients, in rounds. It never blocks: this process has to look after the child, too.
class Clients {
 public:
  explicit Clients(const std::array<int, connection_count>& fds) : fds_(fds) { ask(); }

  bool done() const { return round_ == rounds.size(); }

  /// Reads what is there; true when it got on.
  bool step() {
    if (done()) return false;
    std::array<char, 2 * message_size> bytes;
    bool read_some = false;
    for (std::size_t client = 0; client < rounds[round_]; ++client) {
      if (answers_[client].size() >= message_size) continue;
      const ssize_t got = recv(fds_[client], bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      lab::need_errno(static_cast<int>(got), "recv");
      answers_[client].append(bytes.data(), static_cast<std::size_t>(got));
      judge(client);
      read_some = true;
    }
    if (missing_ == 0 && ++round_ < rounds.size()) ask();
    return read_some;
  }

 private:
  std::string message(std::size_t client) const {
    std::string text = "round " + std::to_string(round_) + ", client " + std::to_string(client);
    text.resize(message_size, '.');
    return text;
  }

  void ask() {
    missing_ = rounds[round_];
    for (std::size_t client = 0; client < rounds[round_]; ++client) {
      answers_[client].clear();
      lab::send_all(fds_[client], message(client));
    }
  }

  void judge(std::size_t client) {
    if (answers_[client].size() < message_size) return;
    --missing_;
    if (answers_[client] == message(client)) return;
    lab::fail("a client sent \"" + message(client) + "\"\n      and received \"" +
                  answers_[client] + "\"",
              "the right connection? And a buffer may go back when its send is done, not before");
  }

  std::array<int, connection_count> fds_;
  std::array<std::string, connection_count> answers_;
  std::size_t round_ = 0;
  unsigned missing_ = 0;
};

// Memory that the C library asks for is not the server's, and printing is for whoever looks.
inline bool counts(const __ptrace_syscall_info& call) {
  const auto number = static_cast<long>(call.entry.nr);
  if (number == __NR_mmap || number == __NR_munmap || number == __NR_brk) return false;
  return number != __NR_write || call.entry.args[0] > 2;
}

// Runs the child to its next SIGSTOP and counts its system calls.
inline unsigned count_calls(pid_t child, Clients& clients) {
  unsigned calls = 0;
  int signal_to_pass = 0;
  while (ptrace(PTRACE_SYSCALL, child, nullptr, signal_to_pass) == 0) {
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
      if (!clients.step()) usleep(20);
    }
    if (WIFEXITED(status)) std::exit(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) lab::fail("the server was ended by a signal");
    signal_to_pass = 0;
    if (WSTOPSIG(status) == SIGSTOP) return calls;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal_to_pass = WSTOPSIG(status);
      continue;
    }
    __ptrace_syscall_info call{};
    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof call, &call);
    if (call.op == PTRACE_SYSCALL_INFO_ENTRY && counts(call)) ++calls;
  }
  lab::fail("the server could not be watched");
}

// The child has to be at its second SIGSTOP. Its exit status is handed on.
inline void let_it_end(pid_t child) {
  ptrace(PTRACE_DETACH, child, nullptr, nullptr);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) lab::fail("the server was ended by a signal");
  if (WEXITSTATUS(status) != 0) std::exit(WEXITSTATUS(status));
}

inline int judge(int argc, char** argv, Serve serve) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::array<int, connection_count> servers;
  std::array<int, connection_count> fds;
  for (std::size_t index = 0; index < connection_count; ++index) {
    const auto [server, client] = lab::connected_pair();
    servers[index] = server;
    fds[index] = client;
  }
  const pid_t child = lab::need_errno(fork(), "fork");
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      lab::skip("ptrace is not allowed here, so system calls cannot be counted");
    }
    learner(argc, argv, servers, serve);
    std::exit(0);
  }

  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  Clients clients(fds);
  const unsigned calls = count_calls(child, clients);
  while (clients.step()) {
  }
  if (!clients.done()) {
    lab::fail("serve() returned, and clients still wait for answers",
              "return when check::request_count() sends are done");
  }
  let_it_end(child);

  const double per_request = static_cast<double>(calls) / request_count();
  std::printf("every client has its answers\n");
  std::printf("# %u system calls for %u requests: %.3f each\n", calls, request_count(),
              per_request);
  if (per_request > 0.1) {
    lab::fail("a tenth of a system call a request is the aim, or less; this took " +
                  std::to_string(calls) + " for " + std::to_string(request_count()),
              per_request > 1.5 ? "which receives need not be started again? (YOUR TURN 1)"
                                : "one call for a whole turn of CQEs (YOUR TURN 2)");
  }
  return lab::ok();
}

}  // namespace check
