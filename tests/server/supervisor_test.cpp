// The supervisor with workers that only count: what it says about them.

#include "06-server/lib/process/supervisor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "01-core/lib/check.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

// Sheds a client every 10 ms until it is told to drain.
int shedding_worker(const void*, const WorkerContext& context) {
  const WorkerReport report;
  send(context.control_fd, &report, sizeof report, MSG_NOSIGNAL);
  pollfd control{.fd = context.control_fd, .events = POLLIN, .revents = 0};
  while (poll(&control, 1, 10) == 0) {
    context.stats->heartbeat.add(1);
    (*context.stats)[Stat::shed].add(1);
  }
  return 0;
}

std::string describe_nothing(const void*, const WorkerReport&) { return "a test"; }

TEST(Supervisor, SaysWhichWorkerSheds) {
  int ends[2];
  check_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  const Fd log(ends[0]);
  Fd theirs(ends[1]);
  const pid_t server = check_errno(fork(), "fork");
  if (server == 0) {
    dup2(theirs.get(), STDERR_FILENO);
    int code = 1;
    try {
      SupervisorOptions options{.name = "test"};
      options.worker_main.function = &shedding_worker;
      options.describe = &describe_nothing;
      code = Supervisor(options).run();
    } catch (const std::exception&) {
    }
    _exit(code);
  }
  theirs.reset();
  std::string text;
  std::array<char, 4096> part;
  pollfd readable{.fd = log.get(), .events = POLLIN, .revents = 0};
  const Deadline deadline = soon();
  // The second of these lines: what it counts goes on from the first.
  const auto told = [&] {
    const std::size_t first = text.find("test: worker 0: buffers ran out, reset ");
    return first != std::string::npos && text.find("buffers ran out", first + 40) < text.size();
  };
  while (!told() && poll(&readable, 1, deadline.left_ms()) > 0) {
    const ssize_t size = read(log.get(), part.data(), part.size());
    if (size <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
  EXPECT_TRUE(told()) << text;
  kill(server, told() ? SIGTERM : SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(server, &status, 0), server);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace lab
