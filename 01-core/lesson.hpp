// What a lesson needs that is not io_uring: its arguments, its end, a temporary folder, and a
// watchdog for the silent hang. No io_uring call is wrapped here. 01-core/01-nop explains it.
#pragma once

#include <ftw.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "01-core/standard_fds.hpp"

namespace lab {

/// The end of a lesson that showed what it wanted to show: `return lab::ok();`
inline int ok() { return std::puts("OK") == EOF ? 1 : 0; }

/// The end of a lesson whose main idea this kernel or machine cannot show.
[[noreturn]] inline void skip(const std::string& reason) {
  std::printf("SKIP: %s\n", reason.c_str());
  std::exit(77);
}

/// The end of a lesson that went wrong: what happened, and what helps.
[[noreturn]] inline void fail(const std::string& cause, const std::string& cure = {}) {
  std::printf("FAIL: %s\n", cause.c_str());
  if (!cure.empty()) std::printf("cure: %s\n", cure.c_str());
  std::exit(1);
}

/// For results that are -errno, as liburing's: returns `res` when it is not negative, else fails.
inline int need(int res, const char* what) {
  if (res >= 0) return res;
  const char* cure = "";
  if (res == -ENOSYS || res == -EPERM) cure = "is io_uring there and allowed? ./lab doctor";
  if (res == -ENOMEM) cure = "not enough locked memory (ulimit -l)? ./lab doctor";
  fail(std::string(what) + ": " + std::strerror(-res), cure);
}

/// For calls that return -1 and set errno.
inline int need_errno(int result, const char* what) {
  return need(result >= 0 ? result : -errno, what);
}

/// A folder that is gone when the lesson ends, however it ends.
inline const std::string& temporary_folder() {
  static std::string path;
  if (path.empty()) {
    const char* parent = std::getenv("TMPDIR");
    path = std::string(parent != nullptr ? parent : "/tmp") + "/lab-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) need_errno(-1, path.c_str());
    std::atexit([] {
      const auto one = [](const char* name, const struct stat*, int, FTW*) { return remove(name); };
      nftw(path.c_str(), one, 8, FTW_DEPTH | FTW_PHYS);
    });
  }
  return path;
}

/// The first line of main(): answers --help, and ends a hang with what the ring knows.
class Lesson {
 public:
  /// @param usage its arguments in words, for example "[count]: how many NOPs (default 64)"
  Lesson(int argc, char** argv, const char* usage = "", int seconds_max = 10)
      : argc_(argc), argv_(argv) {
    open_standard_fds();
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string first = argc > 1 ? argv[1] : "";
    const char* takes = *usage == '\0' ? "takes no arguments" : usage;
    if (first == "-h" || first == "--help") {
      std::exit(std::printf("%s %s\nIts README.md says what it shows.\n", argv[0], takes) < 0);
    }
    if (first[0] == '-' || (argc > 1 && *usage == '\0')) fail("\"" + first + "\"?", takes);
    if (const char* shorter = std::getenv("LAB_WATCHDOG_S")) seconds_max = std::atoi(shorter);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = &Lesson::speak;
    timer_t timer{};
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = seconds_max, .tv_nsec = 0}};
    need_errno(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    need_errno(timer_settime(timer, 0, &once, nullptr), "timer_settime");
  }

  /// Argument `index` (1 is the first) as a number; `otherwise` when it is not given.
  long argument(int index, long otherwise, long least, long most) const {
    if (index >= argc_) return otherwise;
    char* end = nullptr;
    const long value = std::strtol(argv_[index], &end, 10);
    if (*argv_[index] != '\0' && *end == '\0' && value >= least && value <= most) return value;
    fail(std::string("\"") + argv_[index] + "\" is not a number from " + std::to_string(least) +
         " to " + std::to_string(most));
  }

  /// Names the ring that the watchdog looks into. The ring lives as long as the lesson waits on it.
  void watch(io_uring& ring) { watched_ = &ring; }

 private:
  static void speak(sigval) {
    flockfile(stdout);  // for good: the hanging thread's wait may end now, and shall not speak
    std::printf("FAIL: nothing happened until the watchdog's time was up\n");
    if (watched_ == nullptr) std::exit(1);
    const unsigned prepared = watched_->sq.sqe_tail - *watched_->sq.khead;
    const unsigned unread = *watched_->cq.ktail - *watched_->cq.khead;
    const int armed = static_cast<int>(*watched_->sq.khead - *watched_->cq.ktail);
    if (prepared != 0) std::printf("ring: %u SQEs prepared, not submitted\n", prepared);
    if ((*watched_->sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0) std::printf("ring: CQ overflowed\n");
    if (unread != 0) std::printf("ring: %u CQEs arrived, not read\n", unread);
    if (armed > 0) std::printf("ring: %d operations armed, nothing arrived\n", armed);
    std::exit(1);
  }

  static inline io_uring* watched_ = nullptr;
  int argc_;
  char** argv_;
};

}  // namespace lab
