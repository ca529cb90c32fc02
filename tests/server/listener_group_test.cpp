// Two servers that start in the same instant: only one of them may have the port.

#include "06-server/lib/process/listener_group.hpp"

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>

#include "01-core/lib/check.hpp"
#include "tests/server/server_process.hpp"

namespace lab {
namespace {

constexpr int listens = 0;
constexpr int refused = 3;
constexpr int untraceable = 4;

// A process that opens a group, and keeps it until somebody kills it. It is traced, so that it can
// be stopped between two of its system calls.
class StartingServer {
 public:
  StartingServer(std::uint16_t port, unsigned workers) : pid_(check_errno(fork(), "fork")) {
    if (pid_ != 0) return;
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(untraceable);
    raise(SIGSTOP);
    try {
      const ListenerGroup group({.listener = {.port = port}, .workers = workers});
      raise(SIGSTOP);  // it has got all of them
      _exit(listens);
    } catch (const std::exception&) {
      _exit(refused);
    }
  }
  ~StartingServer() {
    kill(pid_, SIGKILL);
    while (!ended_ && wait_stopped()) ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
  }
  StartingServer(const StartingServer&) = delete;
  StartingServer& operator=(const StartingServer&) = delete;

  /// @return false where this process may not trace its children
  bool may_be_traced() {
    return wait_stopped() && ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD) == 0;
  }

  /// Goes on until it is about to call listen() for the first time.
  void reach_listen() {
    for (;;) {
      ASSERT_EQ(ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr), 0);
      ASSERT_TRUE(wait_stopped()) << "it ended with " << code_;
      __ptrace_syscall_info info{};
      ASSERT_GT(ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info), 0);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_listen) return;
    }
  }

  /// Goes on until it has its listeners or was refused them.
  bool gets_them() {
    ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    const bool stopped = wait_stopped();
    EXPECT_TRUE(stopped || code_ == refused) << "it ended with " << code_;
    return stopped;
  }

 private:
  // False when it ended instead.
  bool wait_stopped() {
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status)) return true;
    ended_ = true;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return false;
  }

  const pid_t pid_;
  bool ended_ = false;
  int code_ = 0;
};

TEST(ListenerGroup, OfTwoThatStartInTheSameInstantOneGetsThePort) {
  for (const unsigned workers : {1U, 2U, 3U}) {
    const std::uint16_t port = free_port();
    StartingServer one(port, workers);
    StartingServer other(port, workers);
    if (!one.may_be_traced() || !other.may_be_traced()) {
      GTEST_SKIP() << "processes may not be traced here";
    }
    // Each has found the port free.
    ASSERT_NO_FATAL_FAILURE(one.reach_listen());
    ASSERT_NO_FATAL_FAILURE(other.reach_listen());
    EXPECT_TRUE(one.gets_them()) << workers << " workers";
    EXPECT_FALSE(other.gets_them()) << workers << " workers: its clients would be mixed";
  }
}

}  // namespace
}  // namespace lab
