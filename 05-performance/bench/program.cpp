#include "05-performance/bench/program.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

constexpr int exec_failed = 127;

/// Tells the parent why its child could not become the program: a pipe that a successful exec
/// closes.
class ExecResult {
 public:
  ExecResult() {
    std::array<int, 2> ends{};
    check_errno(pipe2(ends.data(), O_CLOEXEC), "pipe2");
    read_end_ = Fd(ends[0]);
    write_end_ = Fd(ends[1]);
  }

  /// In the child, with the error.
  [[noreturn]] void fail(int error) noexcept {
    const ssize_t written = write(write_end_.get(), &error, sizeof error);
    _exit(written == sizeof error ? exec_failed : EXIT_FAILURE);
  }

  /// In the parent. Waits for the exec.
  /// @return 0, or the error of the child, which then has ended
  int wait() noexcept {
    write_end_.reset();
    int error = 0;
    ssize_t count = 0;
    while ((count = read(read_end_.get(), &error, sizeof error)) < 0 && errno == EINTR) {
    }
    return count == sizeof error ? error : 0;
  }

 private:
  Fd read_end_;
  Fd write_end_;
};

// Only between fork and the end of the child.
[[noreturn]] void execute(const std::filesystem::path& program,
                          const std::vector<std::string>& arguments, ExecResult& result) {
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  result.fail(errno);
}

std::runtime_error cannot_run(const std::filesystem::path& program, int error) {
  return std::runtime_error(
      fmt::format("{} cannot be run: {}", program.string(), std::strerror(error)));
}

std::string tail(const std::string& text) {
  constexpr std::size_t length_max = 1000;
  return text.size() <= length_max ? text : text.substr(text.size() - length_max);
}

}  // namespace

Server::Server(const Options& options) : options_(options) {
  const Fd log(check_errno(
      open(options_.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), "the log"));
  std::filesystem::remove(options_.stats);
  ExecResult result;
  const pid_t parent = getpid();
  pid_ = check_errno(fork(), "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(exec_failed);
    // A process group of its own: Ctrl-C ends us, and we end the servers in order.
    setpgid(0, 0);
    dup2(log.get(), STDOUT_FILENO);
    dup2(log.get(), STDERR_FILENO);
    try {
      pin_to_cpu(options_.cpu);
    } catch (const std::system_error& error) {
      result.fail(error.code().value());
    }
    execute(options_.program, options_.arguments, result);
  }
  try {
    if (const int error = result.wait()) throw cannot_run(options_.program, error);
    wait_for_port();
  } catch (...) {
    stop();
    throw;
  }
}

Server::~Server() { stop(); }

Server::Server(Server&& other) noexcept
    : options_(std::move(other.options_)),
      pid_(std::exchange(other.pid_, -1)),
      port_(other.port_) {}

std::string Server::all_stats() const { return read_file(options_.stats); }

// Whether it does, by what it says or, where it says nothing, by a connection.
bool Server::listens() {
  if (options_.port != 0) {
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    port_ = options_.port;
    return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  constexpr std::string_view announcement = "listening on ";
  const std::string text = read_file(options_.log);
  const std::size_t place = text.find(announcement);
  const std::size_t end = text.find('\n', place);
  if (place == std::string::npos || end == std::string::npos) return false;
  std::string line = text.substr(place + announcement.size(), end - place);
  line = line.substr(0, line.find_first_of(" \n,"));
  port_ = static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
  return true;
}

void Server::wait_for_port() {
  for (const auto deadline = std::chrono::steady_clock::now() + 10s;
       std::chrono::steady_clock::now() < deadline; std::this_thread::sleep_for(10ms)) {
    if (listens()) return;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error(fmt::format("{} ended before it listened:\n{}",
                                           options_.program.string(),
                                           tail(read_file(options_.log))));
    }
  }
  throw std::runtime_error(fmt::format("{} did not listen within 10 s:\n{}",
                                       options_.program.string(), tail(read_file(options_.log))));
}

void Server::stop() noexcept {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  for (int wait = 0; wait < 300; ++wait) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(10ms);
  }
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string run_program(const std::filesystem::path& program,
                        const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  check_errno(pipe2(ends.data(), O_CLOEXEC), "pipe2");
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  ExecResult result;
  const pid_t pid = check_errno(fork(), "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(write_end.get(), STDOUT_FILENO);
    execute(program, arguments, result);
  }
  const int error = result.wait();
  write_end.reset();
  std::string output;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = read(read_end.get(), buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno != EINTR)) break;
    if (count > 0) output.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (error != 0) throw cannot_run(program, error);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  throw std::runtime_error(
      WIFSIGNALED(status)
          ? fmt::format("{} was ended by signal {}", program.string(), WTERMSIG(status))
          : fmt::format("{} ended with {}", program.string(), WEXITSTATUS(status)));
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ReceiveSteering::ReceiveSteering()
    : settings_{{"/proc/sys/net/core/rps_sock_flow_entries", "32768", {}},
                {"/sys/class/net/lo/queues/rx-0/rps_flow_cnt", "32768", {}},
                {"/sys/class/net/lo/queues/rx-0/rps_cpus", {}, {}}} {
  // A bit a core in hexadecimal words of 32 bits, the highest first: "3", "ff,ffffffff".
  std::string& mask = settings_.back().value;
  for (unsigned cores = std::thread::hardware_concurrency(); cores > 0;) {
    const unsigned in_word = (cores - 1) % 32 + 1;
    mask += fmt::format("{}{:x}", mask.empty() ? "" : ",", 0xffffffffU >> (32 - in_word));
    cores -= in_word;
  }
  for (Setting& setting : settings_) {
    setting.before = read_file(setting.path);
    if (!(std::ofstream(setting.path) << setting.value << std::flush)) {
      restore();
      throw std::runtime_error(
          fmt::format("--rfs: {} cannot be changed (needs root)", setting.path));
    }
  }
}

ReceiveSteering::~ReceiveSteering() { restore(); }

void ReceiveSteering::restore() noexcept {
  for (auto setting = settings_.rbegin(); setting != settings_.rend(); ++setting) {
    if (!setting->before.empty()) std::ofstream(setting->path) << setting->before << std::flush;
  }
}

std::string take_priority() noexcept {
  // With autogroups the nice value counts only inside a session; the session has one of its own,
  // sched(7).
  bool group = false;
  if (std::ofstream file("/proc/self/autogroup"); file) group = !!(file << "-20" << std::flush);
  const bool process = setpriority(PRIO_PROCESS, 0, -20) == 0;
  if (process && group) return "nice -20, session and processes";
  return process ? "nice -20" : "ordinary (nice -20 needs root)";
}

}  // namespace lab
