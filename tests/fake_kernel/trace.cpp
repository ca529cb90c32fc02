#include "tests/fake_kernel/trace.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "01-core/lib/poison.hpp"

#ifdef LAB_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace lab::fake {

namespace {

Trace* reporter = nullptr;

// Formatting in a signal handler is no good habit; here the process is at its end anyway.
void on_abort(int) {
  std::signal(SIGABRT, SIG_DFL);
  reporter->report("assertion", reporter->stderr_tail());
}

#ifdef LAB_ASAN
void on_sanitizer_death() { reporter->report("sanitizer", reporter->stderr_tail()); }
#endif

}  // namespace

void Trace::catch_stderr() {
  reporter = this;
  const int file = memfd_create("stderr", MFD_CLOEXEC);
  if (file >= 0) {
    stderr_copy_ = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  std::signal(SIGABRT, on_abort);
#ifdef LAB_ASAN
  __sanitizer_set_death_callback(on_sanitizer_death);
#endif
}

std::string Trace::stderr_tail() const {
  std::array<char, 6000> text;
  const off_t size = lseek(STDERR_FILENO, 0, SEEK_CUR);
  if (stderr_copy_ < 0 || size <= 0) return {};
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(text.size()));
  const ssize_t count = pread(STDERR_FILENO, text.data(), text.size(), begin);
  if (count <= 0) return {};
  std::string tail(text.data(), static_cast<std::size_t>(count));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
    // The last line is the assertion's, except under a sanitizer, which says more.
#ifndef LAB_ASAN
  if (const auto newline = tail.rfind('\n'); newline != std::string::npos) {
    tail.erase(0, newline + 1);
  }
#endif
  return tail;
}

void Trace::forget_stderr() const {
  if (stderr_copy_ < 0 || ftruncate(STDERR_FILENO, 0) != 0) return;
  lseek(STDERR_FILENO, 0, SEEK_SET);
}

void Trace::report(const std::string& oracle, const std::string& what) {
  const std::size_t shown = std::min(lines_, tail_.size());
  if (!verbose_) {
    fmt::print("the last {} of {} events (seconds, event):\n", shown, lines_);
    for (std::size_t index = lines_ - shown; index < lines_; ++index) {
      print(tail_[index % tail_.size()]);
    }
  }
  fmt::print("scenario: {}\n", scenario_);
  fmt::print("seed {} FAILED at {:.6f} s, oracle {}: {}\n", seed_,
             static_cast<double>(now_ns_) / 1e9, oracle, what);
  fmt::print("repeat: {} --seed {} --verbose\n", program_, seed_);
  std::fflush(stdout);
  _exit(1);
}

}  // namespace lab::fake
