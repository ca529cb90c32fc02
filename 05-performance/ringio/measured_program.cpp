#include "05-performance/ringio/measured_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <stdexcept>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

constexpr int exec_failed = 127;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Only between fork and the end of the child.
[[noreturn]] void execute(const std::vector<std::string>& words, int cpu) {
  try {
    if (cpu >= 0) pin_to_cpu(cpu);
  } catch (const std::exception&) {
    _exit(exec_failed - 1);
  }
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execvp(pointers.front(), pointers.data());
  _exit(exec_failed);
}

// A file in memory and no pipe: nobody has to read while the program runs.
std::string content(const Fd& file) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count =
        pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string ending(int status, int cpu) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  if (WEXITSTATUS(status) == exec_failed) return "could not be run";
  if (cpu >= 0 && WEXITSTATUS(status) == exec_failed - 1) {
    return fmt::format("may not run on processor {} (--cpu)", cpu);
  }
  return fmt::format("ended with {}", WEXITSTATUS(status));
}

}  // namespace

ProgramCost run_measured(const std::vector<std::string>& words, int cpu) {
  const Fd output(check_errno(memfd_create("output", MFD_CLOEXEC), "memfd_create"));
  const Fd errors(check_errno(memfd_create("errors", MFD_CLOEXEC), "memfd_create"));
  const pid_t pid = check_errno(fork(), "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output.get(), STDOUT_FILENO);
    dup2(errors.get(), STDERR_FILENO);
    execute(words, cpu);
  }
  int status = 0;
  rusage usage{};
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "wait4");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(
        fmt::format("{} {}\n{}", words.front(), ending(status, cpu), content(errors)));
  }
  return {.output = content(output),
          .cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
}

}  // namespace lab
