// What a lesson needs that is not io_uring: its arguments, its end, a temporary folder, and the
// watchdog for a silent hang. No io_uring call is wrapped here. 01-core/01-nop explains it.
#pragma once

#include <ftw.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "01-core/standard_fds.hpp"
#include "01-core/watchdog.hpp"

namespace lab {

/// The end of a lesson whose main idea this kernel or machine cannot show.
[[noreturn]] inline void skip(const std::string& reason) {
  std::printf("SKIP: %s\n", reason.c_str());
  std::exit(77);
}

inline std::string unseen;  ///< the first effect that could not be seen, with what helps

/// Prints "claim: answer" where an effect shows that time, a ratio or the scheduler decides about.
/// Where it does not, nobody is wrong: the lesson goes on, and ok() ends it as a skip that says so.
inline void effect(bool seen, const std::string& claim, const std::string& measured,
                   const char* answer = "yes", const char* cure = "Once more on an idle machine?") {
  std::printf("%s: %s\n", claim.c_str(), seen ? answer : "not seen now");
  if (seen || !unseen.empty()) return;
  unseen = "\"" + claim.substr(claim.find_first_not_of(' ')) + ": " + answer +
           "\" could not be seen now: " + measured + ". " + cure;
}

/// The end of a lesson that showed what it wanted to show: `return lab::ok();`
inline int ok() {
  if (!unseen.empty()) skip(unseen);
  return std::puts("OK") == EOF ? 1 : 0;
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
    if (const char* other = std::getenv("LAB_WATCHDOG_S")) seconds_max = std::atoi(other);
    need_errno(Watchdog::start(seconds_max), "timer_create");
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
  void watch(io_uring& ring) { Watchdog::watched = &ring; }

 private:
  int argc_;
  char** argv_;
};

}  // namespace lab
