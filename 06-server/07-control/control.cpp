// shows: how the finished server is looked at, mended and ended: statistics, restart, drain
// needs: Linux 6.1; the program echo-server beside this one (./lab serve builds it)
// try:   ./lab run 06-07; then ./lab serve in one terminal, and the same signals from another
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "06-server/stage.hpp"

namespace {

// The lines that a process writes, one after the other: each is waited for.
class Lines {
 public:
  explicit Lines(int fd) : file_(fdopen(fd, "r")) {}
  ~Lines() { std::fclose(file_); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// The next line that contains `what`; the program ends when there is none.
  std::string find(const char* what) {
    std::array<char, 16 * 1024> line{};
    while (std::fgets(line.data(), line.size(), file_) != nullptr) {
      if (std::string(line.data()).find(what) != std::string::npos) return line.data();
    }
    lab::fail(std::string("echo-server said nothing of \"") + what + "\"");
  }

 private:
  FILE* file_;
};

struct EchoServer {
  pid_t pid;
  Lines log;
  Lines statistics;
  std::uint16_t port = 0;
};

// The program stands beside this one, or where ./lab builds it.
std::string path_of_the_server() {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const char* place : {"/echo-server", "/release/bin/echo-server"}) {
    if (access((self + place).c_str(), X_OK) == 0) return self + place;
  }
  lab::skip("there is no echo-server here. Cure: ./lab serve builds it (Ctrl-C ends it)");
}

// [walk start]
// Its log and its statistics (JSON, a line when SIGUSR2 asks for it) come through pipes.
EchoServer start_server() {
  const std::string path = path_of_the_server();
  std::array<int, 2> log{};
  std::array<int, 2> statistics{};
  lab::need_errno(pipe2(log.data(), O_CLOEXEC), "pipe2");
  lab::need_errno(pipe2(statistics.data(), O_CLOEXEC), "pipe2");
  const pid_t pid = lab::need_errno(fork(), "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(statistics[1], STDOUT_FILENO);
    dup2(log[1], STDERR_FILENO);
    execl(path.c_str(), "echo-server", "--port", "0", "--workers", "2", "--connections", "100",
          "--buffer-count", "512", "--stats-interval-ms", "0", "--stats-json", "-", nullptr);
    _exit(127);
  }
  close(log[1]);
  close(statistics[1]);
  return {.pid = pid, .log = Lines(log[0]), .statistics = Lines(statistics[0])};
}
// [/walk]

// [walk statistics]
// The whole server's number: in the line it comes before each worker's of the same name.
long statistic(EchoServer& server, const char* name) {
  kill(server.pid, SIGUSR2);
  const std::string line = server.statistics.find(name);
  const std::string key = std::string("\"") + name + "\":";
  return std::strtol(line.c_str() + line.find(key) + key.size(), nullptr, 10);
}
// [/walk]

// [walk restart]
void kill_a_worker(EchoServer& server) {
  const std::string id = std::to_string(server.pid);
  pid_t worker = 0;
  std::ifstream("/proc/" + id + "/task/" + id + "/children") >> worker;
  kill(worker, SIGKILL);
  server.log.find("serves again");
}
// [/walk]

// Until the server closes the connection, or it breaks. @return bytes
std::size_t read_to_end(int fd) {
  std::array<char, 64 * 1024> buffer{};
  std::size_t count = 0;
  for (ssize_t got = 0; (got = recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
    count += static_cast<std::size_t>(got);
  }
  return count;
}

// [walk drain]
// One client is idle, the other one has asked for a lot and has read nothing of it yet.
void drain(EchoServer& server) {
  const int idle = lab::connect_to(server.port);
  stage::ask(idle, 1);
  const int busy = lab::connect_to(server.port);
  const std::string question(1 << 20, 'q');
  lab::send_all(busy, question);

  kill(server.pid, SIGTERM);
  std::printf("after SIGTERM: the idle client reads %zu bytes\n", read_to_end(idle));
  const bool whole = read_to_end(busy) == question.size();
  std::printf("the busy client reads its answer: %s\n", whole ? "whole" : "cut");
  int status = 0;
  lab::need_errno(waitpid(server.pid, &status, 0), "waitpid");
  std::printf("echo-server leaves with exit code %d\n", WEXITSTATUS(status));
  close(idle);
  close(busy);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "", 60);
  EchoServer server = start_server();
  const std::string line = server.log.find("listening on");
  server.port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));

  std::vector<int> fds(8);
  for (int& fd : fds) {
    fd = lab::connect_to(server.port);
    stage::ask(fd, 100);
  }
  std::printf("connections: %ld\n", statistic(server, "connections"));
  std::printf("receives:    %ld\n", statistic(server, "receives"));
  for (const int fd : fds) close(fd);

  kill_a_worker(server);
  const int after = lab::connect_to(server.port);
  stage::ask(after, 1);
  close(after);
  std::printf("a worker was killed: the next client is answered\n");

  drain(server);
  return lab::ok();
}
