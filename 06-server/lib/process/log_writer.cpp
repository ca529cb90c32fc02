#include "06-server/lib/process/log_writer.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lab {

namespace {

// Up to here a write to a pipe is never mixed with another's. pipe(7), PIPE_BUF
constexpr std::size_t piece_max = 4096;
// So long a reader who sleeps may keep a worker that ends.
constexpr std::uint64_t settle_max_ns = 1'000'000'000;

// Whole lines, for none is longer.
std::string_view piece(std::string_view lines) noexcept {
  if (lines.size() <= piece_max) return lines;
  return lines.substr(0, lines.rfind('\n', piece_max - 1) + 1);
}

}  // namespace

LogWriter::LogWriter(LineBuffer& lines, Fd fd) noexcept : lines_(lines) { use(std::move(fd)); }

void LogWriter::begin(Ring& ring) noexcept {
  ring_ = &ring;
  lines_.written_by(
      {.self = this,
       .look = [](void* self) noexcept { static_cast<LogWriter*>(self)->look(); },
       .settle = [](void* self,
                    bool late) noexcept { return static_cast<LogWriter*>(self)->settle(late); }});
}

void LogWriter::replace(Fd fd) noexcept { next_ = std::move(fd); }

void LogWriter::use(Fd fd) noexcept {
  fd_ = std::move(fd);
  struct stat status {};
  regular_ = fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode);
  half_line_ = false;
}

void LogWriter::look() noexcept {
  if (closed_ || step_.armed()) return;
  if (rest_.empty()) {
    if (next_) use(std::move(next_));
    if (lines_.empty()) return;
    rest_ = lines_.take(std::exchange(half_line_, false));
  }
  begin_step();
}

bool LogWriter::settle(bool late) noexcept {
  if (closed_) return true;
  look();
  if (settle_ns_ == 0) settle_ns_ = ring_->now_ns();
  closed_ = late || lines_.empty() || ring_->now_ns() - settle_ns_ > settle_max_ns;
  if (closed_ && !step_.armed()) give_up();
  return closed_;
}

void LogWriter::begin_step() noexcept {
  io_uring_sqe* sqe = ring_->sqe();
  if (awaits_room_) {
    io_uring_prep_poll_add(sqe, fd_.get(), POLLOUT);
  } else {
    const std::string_view lines = regular_ ? rest_ : piece(rest_);
    io_uring_prep_write(sqe, fd_.get(), lines.data(), static_cast<unsigned>(lines.size()), -1ULL);
    if (!regular_ && by_thread_) sqe->flags |= IOSQE_ASYNC;
  }
  ring_->arm(sqe, step_);
}

void LogWriter::on_step(Cqe cqe) noexcept {
  if (std::exchange(awaits_room_, false)) {
    // There is room, or there is an error that the write will say.
  } else if (cqe.res > 0) {
    const auto written = static_cast<std::size_t>(cqe.res);
    half_line_ = rest_[written - 1] != '\n';
    rest_.remove_prefix(written);
  } else if (cqe.res == -EAGAIN) {
    awaits_room_ = true;
  } else if (cqe.res == -ECANCELED && (regular_ || by_thread_)) {
    // The kernel could not make a thread: RLIMIT_NPROC. A file is tried again at the next tick, the
    // rest without one. See Output.
    by_thread_ = false;
    if (regular_ && !closed_) return;
  } else if (cqe.res != -EINTR) {
    lose(-cqe.res);
  }
  if (closed_) return give_up();
  if (!rest_.empty()) return begin_step();
  lines_.give_back();
  if (lines_.much_waits()) look();
}

// What is left is lost, for no write is begun any more.
void LogWriter::give_up() noexcept {
  lose(LineLoss::slow);
  if (lines_.taken()) lines_.give_back();
  rest_ = lines_.take(false);
  lose(LineLoss::slow);
}

void LogWriter::lose(int error) noexcept {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  lose(full ? LineLoss::full : LineLoss::failed);
}

void LogWriter::lose(LineLoss why) noexcept {
  // It ends a line that is in the file already, and is no line of its own.
  if (rest_.starts_with('\n')) {
    half_line_ = true;
    rest_.remove_prefix(1);
  }
  lines_.lost(why, static_cast<std::uint64_t>(std::count(rest_.begin(), rest_.end(), '\n')));
  rest_ = {};
}

}  // namespace lab
