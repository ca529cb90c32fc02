#include "06-server/lib/process/output.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lab {

namespace {

// Up to here a write to a pipe is never mixed with another program's. pipe(7), PIPE_BUF
constexpr std::size_t piece_max = 4096;

// Whole lines where they fit.
std::size_t piece(std::string_view text) noexcept {
  if (text.size() <= piece_max) return text.size();
  const std::size_t line_end = text.rfind('\n', piece_max - 1);
  return line_end == std::string_view::npos ? piece_max : line_end + 1;
}

}  // namespace

Output::Output(Ring& ring, int fd, std::size_t limit) : ring_(ring), fd_(fd), limit_(limit) {
  struct stat status {};
  regular_ = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  text_.reserve(limit);
}

bool Output::write(std::string_view line) noexcept {
  if (closed_ || text_.size() + line.size() > limit_) {
    ++lost_;
    return false;
  }
  text_.append(line);
  if (regular_) {
    write_at_once();
  } else if (!step_.armed()) {
    begin_step();
  }
  return true;
}

void Output::close() noexcept {
  closed_ = true;
  if (!idle()) lose_all(error_);
}

void Output::write_at_once() noexcept {
  std::size_t written = 0;
  while (written < text_.size()) {
    const ssize_t size = ::write(fd_, text_.data() + written, text_.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      lose_all(errno);
      return;
    }
    written += static_cast<std::size_t>(size);
  }
  text_.clear();
}

void Output::begin_step() noexcept {
  io_uring_sqe* sqe = ring_.sqe();
  if (awaits_room_) {
    io_uring_prep_poll_add(sqe, fd_, POLLOUT);
  } else {
    io_uring_prep_write(sqe, fd_, text_.data(), static_cast<unsigned>(piece(text_)), -1ULL);
    if (by_thread_) sqe->flags |= IOSQE_ASYNC;
  }
  ring_.arm(sqe, step_);
}

void Output::on_step(Cqe cqe) noexcept {
  if (closed_) {
    text_.clear();
    return;
  }
  if (awaits_room_) {
    awaits_room_ = false;
  } else if (cqe.res > 0) {
    text_.erase(0, static_cast<std::size_t>(cqe.res));
  } else if (cqe.res == -EAGAIN) {
    awaits_room_ = true;
  } else if (cqe.res == -ECANCELED && by_thread_) {
    // The kernel could not make a thread: RLIMIT_NPROC. The threads are not tried again, for one
    // could take the place of a worker that has to be started.
    by_thread_ = false;
  } else if (cqe.res != -EINTR) {
    lose_all(-cqe.res);
  }
  if (!text_.empty()) begin_step();
}

void Output::lose_all(int error) noexcept {
  error_ = error;
  lost_ += static_cast<std::uint64_t>(std::count(text_.begin(), text_.end(), '\n'));
  if (!step_.armed()) text_.clear();
}

}  // namespace lab
