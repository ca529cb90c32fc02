#include "05-performance/lib/trace.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>
#include <thread>

namespace lab {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view ring_link = "anon_inode:[io_uring]";
constexpr unsigned enter_registered_ring = 1U << 4;  // IORING_ENTER_REGISTERED_RING

constexpr std::array operation_names{"NOP",
                                     "READV",
                                     "WRITEV",
                                     "FSYNC",
                                     "READ_FIXED",
                                     "WRITE_FIXED",
                                     "POLL_ADD",
                                     "POLL_REMOVE",
                                     "SYNC_FILE_RANGE",
                                     "SENDMSG",
                                     "RECVMSG",
                                     "TIMEOUT",
                                     "TIMEOUT_REMOVE",
                                     "ACCEPT",
                                     "ASYNC_CANCEL",
                                     "LINK_TIMEOUT",
                                     "CONNECT",
                                     "FALLOCATE",
                                     "OPENAT",
                                     "CLOSE",
                                     "FILES_UPDATE",
                                     "STATX",
                                     "READ",
                                     "WRITE",
                                     "FADVISE",
                                     "MADVISE",
                                     "SEND",
                                     "RECV",
                                     "OPENAT2",
                                     "EPOLL_CTL",
                                     "SPLICE",
                                     "PROVIDE_BUFFERS",
                                     "REMOVE_BUFFERS",
                                     "TEE",
                                     "SHUTDOWN",
                                     "RENAMEAT",
                                     "UNLINKAT",
                                     "MKDIRAT",
                                     "SYMLINKAT",
                                     "LINKAT",
                                     "MSG_RING",
                                     "FSETXATTR",
                                     "SETXATTR",
                                     "FGETXATTR",
                                     "GETXATTR",
                                     "SOCKET",
                                     "URING_CMD",
                                     "SEND_ZC",
                                     "SENDMSG_ZC",
                                     "READ_MULTISHOT",
                                     "WAITID",
                                     "FUTEX_WAIT",
                                     "FUTEX_WAKE",
                                     "FUTEX_WAITV",
                                     "FIXED_FD_INSTALL",
                                     "FTRUNCATE",
                                     "BIND",
                                     "LISTEN",
                                     "RECV_ZC",
                                     "EPOLL_WAIT",
                                     "READV_FIXED",
                                     "WRITEV_FIXED",
                                     "PIPE"};

[[noreturn]] void raise(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

/// The number after `name`, wherever that stands in the line; false when it is not there.
template <class Number>
bool number_after(std::string_view line, std::string_view name, Number& number, int base = 10) {
  const std::size_t found = line.find(name);
  if (found == std::string_view::npos) return false;
  std::string_view rest = line.substr(found + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (base == 16 && rest.starts_with("0x")) rest.remove_prefix(2);
  const auto result = std::from_chars(rest.data(), rest.data() + rest.size(), number, base);
  return result.ec == std::errc{};
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Entries of a list are indented; which list they belong to, the last line that was not says.
void take_entry(RingState& state, std::string_view list, std::string_view line) {
  if (list == "CQEs") {
    UnreadCqe cqe{};
    if (number_after(line, "user_data:", cqe.user_data) && number_after(line, "res:", cqe.res) &&
        (number_after(line, "flags:", cqe.flags, 16) ||
         number_after(line, "flag:", cqe.flags, 16))) {
      state.cqes.push_back(cqe);
    }
  } else if (list == "UserFiles") {
    ++state.files_used;
  } else if (list == "PollList") {
    std::uint8_t opcode = 0;
    if (number_after(line, "op=", opcode)) state.polls.push_back(opcode);
  } else if (list == "CqOverflowList") {
    ++state.overflowed;
  }
}

void take_value(RingState& state, std::string_view line) {
  std::uint32_t mask = 0;
  if (number_after(line, "SqMask:", mask, 16)) {
    state.sq_size = mask + 1;
    state.complete = true;
  }
  if (number_after(line, "CqMask:", mask, 16)) state.cq_size = mask + 1;
  // CachedSqHead and CachedCqTail are the kernel's own copies: the same line, so the start counts.
  if (line.starts_with("SqHead:")) number_after(line, "SqHead:", state.sq_head);
  if (line.starts_with("SqTail:")) number_after(line, "SqTail:", state.sq_tail);
  if (line.starts_with("CqHead:")) number_after(line, "CqHead:", state.cq_head);
  if (line.starts_with("CqTail:")) number_after(line, "CqTail:", state.cq_tail);
  number_after(line, "SqThread:", state.sq_thread);
  number_after(line, "SqTotalTime:", state.sq_total_us);
  number_after(line, "SqWorkTime:", state.sq_work_us);
  number_after(line, "UserFiles:", state.files);
  number_after(line, "UserBufs:", state.buffers);
}

std::string plural(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string polls_by_operation(const std::vector<std::uint8_t>& polls) {
  std::map<std::uint8_t, unsigned> counts;
  for (const std::uint8_t opcode : polls) ++counts[opcode];
  std::string text;
  for (const auto& [opcode, count] : counts) {
    text += (text.empty() ? "" : ", ") + operation_name(opcode) + " " + std::to_string(count);
  }
  return text;
}

fs::path process_folder(pid_t pid) { return fs::path("/proc") / std::to_string(pid); }

/// The whole file, or nothing when it cannot be read.
std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> thread_folders(pid_t pid) {
  std::vector<fs::path> folders;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(process_folder(pid) / "task", gone)) {
    folders.push_back(entry.path());
  }
  return folders;
}

}  // namespace

std::string operation_name(unsigned opcode) {
  if (opcode < operation_names.size()) return operation_names[opcode];
  return "operation " + std::to_string(opcode);
}

RingState parse_ring_state(std::string_view text) {
  RingState state;
  std::string_view list;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.starts_with(' ')) {
      take_entry(state, list, line);
    } else {
      list = line.substr(0, line.find(':'));
      take_value(state, line);
    }
  }
  return state;
}

std::vector<std::string> explain(const RingState& state) {
  if (!state.complete) {
    return {"the kernel did not show the ring's state: another thread had its lock each time",
            "  so this ring is busy, not stuck; ask again"};
  }
  std::vector<std::string> lines;
  if (state.overflowed != 0) {
    lines.push_back(
        "CQ overflowed: " + plural(state.overflowed, "completion waits", "completions wait") +
        " outside its " + std::to_string(state.cq_size) + " places");
    lines.emplace_back("  read the CQ empty; the next io_uring_enter that gets events moves them");
  }
  if (state.unread() != 0) {
    lines.push_back(plural(state.unread(), "CQE", "CQEs") + " arrived, not read");
  }
  if (state.published() != 0) {
    lines.push_back(plural(state.published(), "SQE", "SQEs") +
                    " published, not taken by the kernel");
    lines.emplace_back(
        state.sq_thread > 0
            ? "  thread " + std::to_string(state.sq_thread) + " polls this ring: is it asleep?"
            : "  no io_uring_enter took them, or a bad SQE before them stopped the batch");
  }
  if (!state.polls.empty()) {
    lines.push_back(plural(state.polls.size(), "poll", "polls") +
                    " armed, each waits for its file: " + polls_by_operation(state.polls));
  }
  const std::int64_t others =
      std::int64_t{state.unanswered()} - static_cast<std::int64_t>(state.polls.size());
  if (others > 0) {
    lines.push_back(plural(static_cast<std::uint64_t>(others), "more request", "more requests") +
                    " without a CQE: a timer, a futex, a worker thread or a device has " +
                    (others == 1 ? "it" : "them"));
  }
  if (!lines.empty()) return lines;
  if (state.sq_tail == 0) return {"nothing was ever published: did io_uring_submit() run?"};
  return {"nothing in flight: all " + std::to_string(state.sq_tail) + " requests are answered",
          "  SQEs that were prepared and not submitted cannot be seen from outside"};
}

Trace::Trace(pid_t pid) : pid_(pid) {
  const fs::path folder = process_folder(pid);
  std::error_code error;
  if (!fs::exists(folder, error)) raise(ESRCH, "process " + std::to_string(pid));
  for (auto entry = fs::directory_iterator(folder / "fd", error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code closed;
    if (fs::read_symlink(entry->path(), closed) != ring_link) continue;
    rings_.push_back(std::stoi(entry->path().filename().string()));
  }
  if (error) raise(error.value(), folder / "fd");
  std::sort(rings_.begin(), rings_.end());
}

unsigned Trace::rings_without_fd() const {
  // Every ring maps its SQEs at this offset (IORING_OFF_SQES), once.
  std::istringstream maps(text_of(process_folder(pid_) / "maps"));
  unsigned mapped = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(ring_link) && line.find(" 10000000 ") != std::string::npos) ++mapped;
  }
  const auto with_fd = static_cast<unsigned>(rings_.size());
  return mapped > with_fd ? mapped - with_fd : 0;
}

RingState Trace::read(int fd, unsigned tries) const {
  const fs::path path = process_folder(pid_) / "fdinfo" / std::to_string(fd);
  for (unsigned i = 0;; ++i) {
    std::FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) raise(errno, path);
    std::string text;
    std::array<char, 4096> piece{};
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), file)) {
      text.append(piece.data(), size);
    }
    std::fclose(file);
    RingState state = parse_ring_state(text);
    if (state.complete || i + 1 >= tries) return state;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::vector<RingWaiter> Trace::waiters() const {
  std::vector<RingWaiter> waiters;
  for (const fs::path& folder : thread_folders(pid_)) {
    // "running", or the system call's number and six arguments in hexadecimal.
    std::istringstream words(text_of(folder / "syscall"));
    long number = -1;
    unsigned long fd = 0;
    unsigned long submitted = 0;
    unsigned long min_complete = 0;
    unsigned long flags = 0;
    if (!(words >> number) || number != SYS_io_uring_enter) continue;
    words >> std::hex >> fd >> submitted >> min_complete >> flags;
    if (!words) continue;
    const bool registered = (flags & enter_registered_ring) != 0;
    waiters.push_back({.thread = std::stoi(folder.filename().string()),
                       .fd = registered ? -1 : static_cast<int>(fd),
                       .min_complete = static_cast<unsigned>(min_complete)});
  }
  return waiters;
}

RingThreads Trace::threads() const {
  RingThreads threads;
  for (const fs::path& folder : thread_folders(pid_)) {
    const std::string name = text_of(folder / "comm");
    if (name.starts_with("iou-wrk-")) ++threads.workers;
    if (name.starts_with("iou-sqp-")) ++threads.pollers;
  }
  return threads;
}

}  // namespace lab
