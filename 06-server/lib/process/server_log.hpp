// The server's log: one line a message, with the program's name, to standard error.
//   ServerLog log(ring, STDERR_FILENO, {.name = "echo-server"});
//   log("worker {} serves again", 1);
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <utility>

#include "06-server/lib/process/output.hpp"

namespace lab {

/// Never waits for its reader. Where lines were lost, the next one that fits is preceded by a line
/// that says how many.
class ServerLog {
 public:
  static constexpr std::size_t waiting_max = 64 << 10;  ///< bytes

  /// What every line begins with.
  struct Options {
    const char* name;        ///< in front of every line
    bool with_time = false;  ///< before it the time, UTC, ISO 8601
  };

  /// @param fd where the lines go; it stays the caller's
  ServerLog(Ring& ring, int fd, const Options& options)
      : options_(options), output_(ring, fd, waiting_max) {}

  /// Writes one line, without its end. Without memory it is lost, and nothing is said.
  template <class... Arguments>
  void operator()(fmt::format_string<Arguments...> text, Arguments&&... arguments) noexcept {
    try {
      write(fmt::format(text, std::forward<Arguments>(arguments)...));
    } catch (...) {  // no memory for the line
    }
  }

  /// Where the lines go, for whoever has to wait until all are written.
  Output& output() noexcept { return output_; }

 private:
  // What was lost is told together with a line that fits, or not yet.
  void write(const std::string& text) {
    const std::string head = time() + options_.name;
    const std::uint64_t lost = output_.lost() - told_;
    std::string lines;
    if (lost != 0) {
      lines = fmt::format("{}: {} line{} of this log lost: not read, or not writable\n", head, lost,
                          lost == 1 ? "" : "s");
    }
    lines += fmt::format("{}: {}\n", head, text);
    if (output_.write(lines)) told_ += lost;
  }

  std::string time() const {
    if (!options_.with_time) return {};
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z ", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       now.tv_nsec / 1'000'000);
  }

  const Options options_;
  Output output_;
  std::uint64_t told_ = 0;  ///< of the lines lost, those that a line has told of
};

}  // namespace lab
