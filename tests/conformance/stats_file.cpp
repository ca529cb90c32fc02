#include "tests/conformance/stats_file.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

// Finds numbers in the last line of the statistics. A JSON parser is not needed for that.

namespace lab {

StatsFile::StatsFile(const std::string& path) : path_(path) {
  watch_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch_ < 0 || inotify_add_watch(watch_, path.c_str(), IN_MODIFY) < 0) {
    const int error = errno;
    if (watch_ >= 0) close(watch_);
    throw Failure(fmt::format("--stats-file: cannot watch {}: {}", path, std::strerror(error)));
  }
}

StatsFile::~StatsFile() { close(watch_); }

std::optional<std::uint64_t> StatsFile::read(std::string_view field) const {
  std::ifstream file(path_);
  std::ostringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  const std::size_t whole = all.find_last_of('\n');
  if (whole == std::string::npos) return std::nullopt;
  all.resize(whole);
  const std::size_t begin = all.find_last_of('\n');
  const std::string_view line =
      std::string_view(all).substr(begin == std::string::npos ? 0 : begin + 1);

  const std::string key = fmt::format("\"{}\":", field);
  std::optional<std::uint64_t> sum;
  for (std::size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    std::string_view number = line.substr(at + key.size());
    number.remove_prefix(std::min(number.find_first_not_of(' '), number.size()));
    std::uint64_t value = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    if (result.ec == std::errc()) sum = sum.value_or(0) + value;
  }
  return sum;
}

bool StatsFile::wait_for_change(Deadline deadline) const {
  pollfd entry = {.fd = watch_, .events = POLLIN, .revents = 0};
  if (poll(&entry, 1, deadline.left_ms()) <= 0) return !deadline.passed();
  // The events say nothing that is needed; they are read so that the next call waits again.
  std::array<char, 4096> events;
  while (::read(watch_, events.data(), events.size()) > 0) {
  }
  return true;
}

}  // namespace lab
