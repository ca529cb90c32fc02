#include "tests/server/server_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <sstream>

#include "01-core/lib/check.hpp"
#include "03-network/lib/listener.hpp"

namespace lab {

namespace {

// Orphaned workers become our children, so that they can be waited for.
void adopt_orphans() {
  static const int result = prctl(PR_SET_CHILD_SUBREAPER, 1);
  check_errno(result, "PR_SET_CHILD_SUBREAPER");
}

std::vector<pid_t> children_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace

unsigned unprivileged_user() {
  static const unsigned user = 50'000 + static_cast<unsigned>(getpid()) % 10'000;
  return user;
}

void drop_privileges() {
  if (geteuid() != 0) return;
  const unsigned user = unprivileged_user();
  if (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 ||
      setresuid(user, user, user) != 0) {
    _exit(126);
  }
}

void fill_pipe_at(int fd) {
  int ends[2];
  if (pipe(ends) != 0 || fcntl(ends[1], F_SETPIPE_SZ, 4096) < 0) _exit(125);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::array<char, 4096> page{};
  while (write(ends[1], page.data(), page.size()) > 0) {
  }
  fcntl(ends[1], F_SETFL, 0);
  dup2(ends[1], fd);
}

std::uint16_t free_port() { return Listener(ListenerOptions{}).port(); }

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ServerProcess::ServerProcess(std::vector<std::string> flags) { start({.flags = std::move(flags)}); }

ServerProcess::ServerProcess(const Setup& setup) { start(setup); }

void ServerProcess::start(const Setup& setup) {
  adopt_orphans();
  int out[2];
  int err[2];
  check_errno(pipe2(out, O_CLOEXEC), "pipe2");
  out_ = Fd(out[0]);
  const Fd out_write(out[1]);
  check_errno(pipe2(err, O_CLOEXEC), "pipe2");
  err_ = Fd(err[0]);
  const Fd err_write(err[1]);
  for (const Fd* end : {&out_, &err_}) {
    check_errno(fcntl(end->get(), F_SETFL, O_NONBLOCK), "fcntl");
  }
  // Opened here: another user may have no right to enter the folder.
  const std::string path = setup.program.empty() ? LAB_ECHO_SERVER : setup.program;
  const Fd program(check_errno(open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str()));
  std::vector<char*> words{const_cast<char*>(path.c_str())};
  for (const std::string& flag : setup.flags) words.push_back(const_cast<char*>(flag.c_str()));
  words.push_back(nullptr);

  unprivileged_user();  // the same in every child
  const pid_t parent = getpid();
  pid_ = check_errno(fork(), "fork");
  if (pid_ == 0) {
    setpgid(0, 0);
    dup2(out_write.get(), STDOUT_FILENO);
    dup2(err_write.get(), STDERR_FILENO);
    setup.before();
    if (setup.unprivileged) drop_privileges();
    // Last, for a change of the user clears it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    fexecve(program.get(), words.data(), environ);
    _exit(127);
  }
  setpgid(pid_, pid_);  // whoever comes first
}

ServerProcess::~ServerProcess() {
  kill(-pid_, SIGKILL);
  if (!exit_) waitpid(pid_, nullptr, 0);
  // Orphans are ours now. One that was just forked may have missed the first signal.
  while (kill(-pid_, SIGKILL) == 0) {
    if (waitpid(-pid_, nullptr, WNOHANG) <= 0) std::this_thread::sleep_for(1ms);
  }
  while (read_more(Deadline(0s))) {
  }
  for (const char* bug : {"Sanitizer", "runtime error", "LAB_ASSERT", "terminate called"}) {
    EXPECT_EQ(log_.find(bug), std::string::npos) << log_;
  }
  if (testing::Test::HasFailure()) {
    fmt::print(stderr, "--- the server's log\n{}--- its output\n{}---\n", log_, output_);
  }
}

std::uint16_t ServerProcess::port() {
  if (port_) return *port_;
  const Deadline deadline = soon();
  for (;;) {
    for (const std::string* text : {&output_, &log_}) {
      const std::size_t line = text->find("listening on ");
      const std::size_t end = line == std::string::npos ? line : text->find('\n', line);
      if (end == std::string::npos) continue;
      const std::size_t colon = text->rfind(':', end);
      std::uint16_t number = 0;
      std::from_chars(text->data() + colon + 1, text->data() + end, number);
      port_ = number;
      return number;
    }
    if (!read_more(deadline)) {
      throw Failure(fmt::format("the server does not listen. Its log:\n{}", log_));
    }
  }
}

bool ServerProcess::logs(const std::string& text, Clock::duration limit) {
  const Deadline deadline(limit);
  for (;;) {
    const std::size_t place = log_.find(text, found_);
    const std::size_t end = place == std::string::npos ? place : log_.find('\n', place);
    if (end != std::string::npos) {
      found_ = end + 1;
      return true;
    }
    if (!read_more(deadline)) return false;
  }
}

const std::string& ServerProcess::log() {
  while (read_more(Deadline(0s))) {
  }
  return log_;
}

const std::string& ServerProcess::output() {
  log();
  return output_;
}

void ServerProcess::close_pipes() {
  out_.reset();
  err_.reset();
}

bool ServerProcess::read_more(Deadline deadline) {
  std::array<pollfd, 2> entries{{{.fd = out_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = err_.get(), .events = POLLIN, .revents = 0}}};
  if (!out_ && !err_) return false;
  int ready = 0;
  do {
    ready = poll(entries.data(), entries.size(), deadline.left_ms());
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  for (const bool is_log : {false, true}) {
    Fd& fd = is_log ? err_ : out_;
    if (entries[is_log ? 1 : 0].revents == 0) continue;
    std::array<char, 4096> part;
    const ssize_t count = read(fd.get(), part.data(), part.size());
    if (count > 0) (is_log ? log_ : output_).append(part.data(), static_cast<std::size_t>(count));
    if (count == 0) fd.reset();
  }
  return true;
}

std::optional<Exit> ServerProcess::wait(Clock::duration limit) {
  // Its output is read on meanwhile: a full pipe must not be what it waits for.
  const auto ended = [&] {
    if (exit_) return true;
    while (read_more(Deadline(0s))) {
    }
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    exit_ = Exit{.exited = WIFEXITED(status),
                 .code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)};
    return true;
  };
  if (!eventually(ended, limit)) return std::nullopt;
  log();
  return exit_;
}

void ServerProcess::signal(int number) const {
  ASSERT_FALSE(exit_.has_value()) << "the server has ended";
  ASSERT_EQ(kill(pid_, number), 0);
}

std::vector<pid_t> ServerProcess::workers() const { return children_of(pid_); }

void ServerProcess::stop(pid_t process) {
  ASSERT_EQ(kill(process, SIGSTOP), 0);
  const std::string stat = fmt::format("/proc/{}/stat", process);
  ASSERT_TRUE(eventually([&] { return file_text(stat).find(") T ") != std::string::npos; }));
}

pid_t ServerProcess::worker_on(int cpu) const {
  const std::string wanted = fmt::format("Cpus_allowed_list:\t{}\n", cpu);
  for (const pid_t worker : workers()) {
    if (file_text(fmt::format("/proc/{}/status", worker)).find(wanted) != std::string::npos) {
      return worker;
    }
  }
  return -1;
}

bool ServerProcess::all_gone(Clock::duration limit) const {
  return eventually(
      [&] {
        // Only workers: the supervisor itself is wait()'s.
        for (const pid_t orphan : children_of(getpid())) {
          if (orphan != pid_ && getpgid(orphan) == pid_) waitpid(orphan, nullptr, WNOHANG);
        }
        return exit_.has_value() && kill(-pid_, 0) != 0;
      },
      limit);
}

void expect_drains(ServerProcess& server) {
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end) << "it did not end";
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_EQ(end->code, 0) << server.log();
  EXPECT_TRUE(server.all_gone());
}

void expect_serves(ServerProcess& server, const std::string& host) {
  Stream client = connect_to(server.port(), {}, host);
  ping(client, 100'000);
  client.finish_and_check(soon());
}

StatsJson::StatsJson() {
  char name[] = "/tmp/lab-stats-XXXXXX";
  const Fd file(check_errno(mkostemp(name, O_CLOEXEC), "mkostemp"));
  path_ = name;
}

StatsJson::~StatsJson() { unlink(path_.c_str()); }

std::vector<Json> StatsJson::lines() const {
  std::ifstream file(path_);
  std::vector<Json> found;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    found.push_back(JsonReader::read(line));
  }
  return found;
}

bool StatsJson::shows(const std::function<bool(const Json&)>& condition,
                      Clock::duration limit) const {
  return eventually(
      [&] {
        const std::vector<Json> all = lines();
        return !all.empty() && condition(all.back());
      },
      limit);
}

}  // namespace lab
