// The server as a black box: a child process with its workers, its output and its end. Whatever
// happens to the test, no process of it stays: the server is killed with the thread that started
// it, its workers with their process group.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "tests/server/json.hpp"
#include "tests/server/support.hpp"

namespace lab {

/// Ends of a process, as a test asks for them.
struct Exit {
  bool exited = false;  ///< by itself, with `code`
  int code = 0;         ///< or the signal that ended it
};

/// A user of this test program alone: what is counted by user counts nobody else.
unsigned unprivileged_user();

/// Becomes that user, in a child; ends it when it cannot. Nothing where the test is not root.
void drop_privileges();

/// In a child: the descriptor is a full pipe that somebody has open and nobody reads.
void fill_pipe_at(int fd);

/// For a server that cannot say which port it took.
std::uint16_t free_port();

/// The whole content, or nothing where the file cannot be read.
std::string file_text(const std::string& path);

class ServerProcess {
 public:
  struct Setup {
    std::vector<std::string> flags;
    /// Runs in the child before the program: limits, filters. Async-signal-safe calls only.
    std::function<void()> before = [] {};
    bool unprivileged = false;  ///< as unprivileged_user(), where the test is root
    std::string program = {};   ///< its path; empty: the echo server
  };

  /// Starts the program and does not wait for it.
  explicit ServerProcess(std::vector<std::string> flags);
  explicit ServerProcess(const Setup& setup);
  /// Kills what is left. A failure is noted where a sanitizer or an assertion had to say something.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// The port in "listening on ADDRESS:PORT", of its output or of its log. Throws Failure when the
  /// line does not come.
  std::uint16_t port();

  /// Waits for a line of the log (standard error) that contains `text`, from the end of the last
  /// one found.
  bool logs(const std::string& text, Clock::duration limit = patience);
  /// Everything so far, the one and the other.
  const std::string& log();
  const std::string& output();

  /// Whoever reads its output and its log goes away.
  void close_pipes();

  /// Waits for the end of the supervisor. Nothing when it does not come.
  std::optional<Exit> wait(Clock::duration limit = patience);
  void signal(int number) const;

  pid_t pid() const { return pid_; }
  /// The worker processes, the oldest first.
  std::vector<pid_t> workers() const;
  /// Stops one of its processes (SIGSTOP) and waits until it has.
  static void stop(pid_t process);
  /// The worker that is pinned to this CPU alone; -1: none.
  pid_t worker_on(int cpu) const;
  /// Nobody of the server is left: waits for it.
  bool all_gone(Clock::duration limit = patience) const;

 private:
  void start(const Setup& setup);
  /// Reads what is there, waiting for something to come; false at the deadline or the end.
  bool read_more(Deadline deadline);

  pid_t pid_ = -1;
  Fd out_;
  Fd err_;
  std::string output_;
  std::string log_;
  std::size_t found_ = 0;  ///< where the search in the log goes on
  std::optional<Exit> exit_;
  std::optional<std::uint16_t> port_;
};

/// SIGTERM ends it in order, and nobody of it is left.
void expect_drains(ServerProcess& server);
/// Echoes bytes to a client, and its end.
void expect_serves(ServerProcess& server, const std::string& host = "127.0.0.1");

/// A file for --stats-json that goes away with the test.
class StatsJson {
 public:
  StatsJson();
  ~StatsJson();
  StatsJson(const StatsJson&) = delete;
  StatsJson& operator=(const StatsJson&) = delete;

  const std::string& path() const { return path_; }
  /// Every whole line. Throws std::invalid_argument when one is not JSON.
  std::vector<Json> lines() const;
  /// Waits until the latest line fulfils the condition.
  bool shows(const std::function<bool(const Json&)>& condition,
             Clock::duration limit = patience) const;

 private:
  std::string path_;
};

}  // namespace lab
