#include "05-performance/trace/ring_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace lab {

namespace {

/// The state, or nothing when the program closed this ring meanwhile, or ended.
std::optional<RingState> read_if_open(const Trace& trace, int fd) {
  try {
    return trace.read(fd);
  } catch (const std::system_error& error) {
    // A zombie's files belong to root, so that others get EACCES.
    if (error.code() != std::errc::no_such_file_or_directory && !process_ended(trace.pid())) throw;
    return std::nullopt;
  }
}

/// What `read` finds out, or nothing where it may not: a file of /proc may open and then refuse to
/// be read, and one thread's files may ask for more rights than the rings do (ptrace(2), "Ptrace
/// access mode checking"). The rings are worth showing without it.
template <class Read>
auto if_permitted(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const std::system_error& error) {
    for (const std::errc refused :
         {std::errc::operation_not_permitted, std::errc::permission_denied,
          std::errc::no_such_process, std::errc::no_such_file_or_directory}) {
      if (error.code() == refused) return std::nullopt;
    }
    throw;
  }
}

/// False when the descriptors can be counted but not looked at, as root without CAP_SYS_PTRACE
/// finds them: then that none is a ring says nothing.
bool descriptors_readable(pid_t pid) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (auto entry = fs::directory_iterator(fmt::format("/proc/{}/fd", pid), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code refused;
    const fs::path file = fs::read_symlink(entry->path(), refused);
    if (file.empty() && refused == std::errc::permission_denied) return false;
  }
  return true;
}

/// One line for all that was not permitted.
void print_unknown(const std::vector<const char*>& parts) {
  if (parts.empty()) return;
  fmt::print("not known, for it may not be read here: {}\n", fmt::join(parts, ", "));
}

std::string name_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

void print_row(const char* name, std::uint64_t first, std::uint64_t second, unsigned seconds) {
  fmt::print("  {:<22}{:>14}{:>14}{:>14.0f}\n", name, first, second,
             (static_cast<double>(second) - static_cast<double>(first)) / seconds);
}

void print_level(const char* name, std::uint64_t first, std::uint64_t second) {
  fmt::print("  {:<22}{:>14}{:>14}\n", name, first, second);
}

// The counters wrap at 2^32: the second is shown as so much more than the first.
std::uint64_t advanced(std::uint32_t first, std::uint32_t second) {
  return std::uint64_t{first} + static_cast<std::uint32_t>(second - first);
}

void print_both(const RingState& first, const RingState& second, unsigned seconds) {
  fmt::print("  {:<22}{:>14}{:>14}{:>14}\n", "", "first", fmt::format("{} s later", seconds),
             "a second");
  print_row("SQEs taken", first.sq_head, advanced(first.sq_head, second.sq_head), seconds);
  print_row("CQEs written", first.cq_tail, advanced(first.cq_tail, second.cq_tail), seconds);
  print_row("CQEs read", first.cq_head, advanced(first.cq_head, second.cq_head), seconds);
  print_level("SQEs published", first.published(), second.published());
  print_level("CQEs unread", first.unread(), second.unread());
  print_level("CQEs overflowed", first.overflowed, second.overflowed);
  print_level("polls armed", first.polls.size(), second.polls.size());
  if (second.sq_total_us == 0) return;
  print_row("polling thread, us", first.sq_total_us, second.sq_total_us, seconds);
  print_row("  of this, working", first.sq_work_us, second.sq_work_us, seconds);
}

void print_ring(int fd, const RingState& first, const RingState& second, unsigned seconds) {
  fmt::print("\nring at fd {}: {} SQ places, {} CQ places, {} of {} registered files, {} buffers\n",
             fd, second.sq_size, second.cq_size, second.files_used, second.files, second.buffers);
  if (first.complete && second.complete) {
    print_both(first, second, seconds);
    const bool moved = first.sq_head != second.sq_head || first.cq_tail != second.cq_tail ||
                       first.cq_head != second.cq_head;
    if (!moved) fmt::print("  nothing moved\n");
  }
  for (const std::string& line : explain(second)) fmt::print("  {}\n", line);
}

void print_waiters(const Trace& trace, const std::vector<RingWaiter>& waiters) {
  if (!waiters.empty()) fmt::print("\n");
  for (const RingWaiter& waiter : waiters) {
    const std::string ring = waiter.fd < 0 ? "a ring whose fd is registered"
                                           : fmt::format("the ring at fd {}", waiter.fd);
    const char* who = waiter.thread == trace.pid() ? "main thread" : "thread";
    fmt::print("{} {} sleeps in io_uring_enter on {}; it wakes when the CQ holds {}\n", who,
               waiter.thread, ring, waiter.min_complete);
  }
}

/// The process's children that have rings: a supervisor has none itself.
std::vector<pid_t> children_with_rings(pid_t parent) {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", parent));
  std::vector<pid_t> found;
  for (pid_t child = 0; file >> child;) {
    try {
      if (!Trace(child).rings().empty()) found.push_back(child);
    } catch (const std::system_error&) {
      continue;  // it ended, or is not ours to read
    }
  }
  return found;
}

void print_no_rings(pid_t pid) {
  const std::vector<pid_t> children = children_with_rings(pid);
  if (!children.empty()) {
    fmt::print("No file descriptor of it is a ring. Of its children, these have rings: {}\n",
               fmt::join(children, " "));
    return;
  }
  fmt::print(
      "No file descriptor of it is a ring. One made with REGISTERED_FD_ONLY has none,\n"
      "and then only its threads and its operations can be seen.\n");
}

}  // namespace

bool process_ended(pid_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return true;
  // The state follows the name, which stands in brackets and may hold any of them itself.
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t place = line.rfind(") ");
  return place != std::string::npos && (line[place + 2] == 'Z' || line[place + 2] == 'X');
}

bool print_rings(const Trace& trace, unsigned seconds) {
  if (trace.rings().empty() && !descriptors_readable(trace.pid())) {
    throw std::system_error(EACCES, std::generic_category(), "the file descriptors");
  }
  std::vector<const char*> unknown;
  const auto threads_seen = if_permitted([&] { return trace.threads(); });
  const auto without_fd_seen = if_permitted([&] { return trace.rings_without_fd(); });
  if (!threads_seen) unknown.push_back("the kernel's threads");
  if (!without_fd_seen) unknown.push_back("rings whose fd was closed");
  const RingThreads threads = threads_seen.value_or(RingThreads{});
  const unsigned without_fd = without_fd_seen.value_or(0);
  fmt::print("process {} ({}): rings with an fd {}, worker threads {}, polling threads {}\n",
             trace.pid(), name_of(trace.pid()), trace.rings().size(),
             threads_seen ? fmt::to_string(threads.workers) : "?",
             threads_seen ? fmt::to_string(threads.pollers) : "?");
  if (without_fd != 0) {
    fmt::print("rings whose fd was closed: {}; they work on, but fdinfo does not show them\n",
               without_fd);
  }
  if (trace.rings().empty()) {
    print_no_rings(trace.pid());
    const auto waiters_seen = if_permitted([&] { return trace.waiters(); });
    if (!waiters_seen) unknown.push_back("which threads wait");
    const std::vector<RingWaiter> waiters = waiters_seen.value_or(std::vector<RingWaiter>{});
    print_waiters(trace, waiters);
    print_unknown(unknown);
    return without_fd + threads.workers + threads.pollers != 0 || !waiters.empty();
  }
  std::vector<std::optional<RingState>> first;
  for (const int fd : trace.rings()) first.push_back(read_if_open(trace, fd));
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  bool shown = false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const int fd = trace.rings()[i];
    const std::optional<RingState> second = read_if_open(trace, fd);
    if (first[i] && second) {
      print_ring(fd, *first[i], *second, seconds);
      shown = true;
    } else if (!process_ended(trace.pid())) {
      fmt::print("\nring at fd {}: closed meanwhile\n", fd);
      shown = true;
    }
  }
  const auto waiters = if_permitted([&] { return trace.waiters(); });
  if (!waiters) unknown.push_back("which threads wait");
  print_waiters(trace, waiters.value_or(std::vector<RingWaiter>{}));
  if (!process_ended(trace.pid())) print_unknown(unknown);
  return shown;
}

}  // namespace lab
