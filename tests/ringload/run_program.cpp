#include "tests/ringload/run_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/bench/json_field.hpp"

namespace lab {

double Ended::number(const std::string& name) const {
  const auto value = json_number(output, name);
  if (!value) ADD_FAILURE() << "no number \"" << name << "\" in " << all();
  return value.value_or(-1);
}

namespace {

// In the child: `fd` is the file from here on, or the end of the pipe where there is none.
void redirect(int fd, const char* file, int pipe_end) {
  dup2(file != nullptr ? open(file, O_WRONLY | O_CLOEXEC) : pipe_end, fd);
}

}  // namespace

Ended ringload(const std::string& port, const std::vector<std::string>& words,
               const Circumstances& with) {
  std::vector<std::string> all{"127.0.0.1", port};
  all.insert(all.end(), words.begin(), words.end());
  return ringload(all, with);
}

Ended ringload(const std::vector<std::string>& words, const Circumstances& with) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  check_errno(pipe2(out.data(), O_CLOEXEC), "pipe2");
  check_errno(pipe2(err.data(), O_CLOEXEC), "pipe2");
  const Fd out_read(out[0]);
  const Fd err_read(err[0]);
  Fd out_write(out[1]);
  Fd err_write(err[1]);
  std::vector<char*> arguments{const_cast<char*>("ringload")};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = check_errno(fork(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(250);  // a run that hangs ends as a failure, not as the test's time limit
    redirect(STDOUT_FILENO, with.output, out_write.get());
    redirect(STDERR_FILENO, with.errors, err_write.get());
    if (with.output_closed) close(STDOUT_FILENO);
    if (with.memory_max != 0) {
      const rlimit both{.rlim_cur = with.memory_max, .rlim_max = with.memory_max};
      setrlimit(RLIMIT_AS, &both);
    }
    signal(SIGINT, SIG_DFL);  // a background job of a script ignores it
    execv(LAB_RINGLOAD, arguments.data());
    _exit(127);
  }
  out_write.reset();
  err_write.reset();
  Ended ended;
  std::array<pollfd, 2> entries{{{.fd = out_read.get(), .events = POLLIN, .revents = 0},
                                 {.fd = err_read.get(), .events = POLLIN, .revents = 0}}};
  bool to_interrupt = with.interrupt_when != nullptr;
  while (entries[0].fd >= 0 || entries[1].fd >= 0) {
    constexpr int ask_ms = 5;
    poll(entries.data(), entries.size(), to_interrupt ? ask_ms : -1);
    if (to_interrupt && with.interrupt_when()) {
      kill(child, SIGINT);
      to_interrupt = false;
    }
    for (pollfd& entry : entries) {
      if (entry.fd < 0 || entry.revents == 0) continue;
      std::array<char, 4096> part;
      const ssize_t count = read(entry.fd, part.data(), part.size());
      std::string& text = &entry == entries.data() ? ended.output : ended.errors;
      if (count > 0) text.append(part.data(), static_cast<std::size_t>(count));
      if (count <= 0) entry.fd = -1;
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  ended.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  for (const char* bug : {"Sanitizer", "runtime error", "LAB_ASSERT", "terminate called"}) {
    EXPECT_EQ(ended.errors.find(bug), std::string::npos) << ended.errors;
  }
  return ended;
}

}  // namespace lab
