#include "06-server/lib/process/poll_kernel.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>

namespace lab {

namespace {

short wanted_events(const io_uring_sqe& sqe) noexcept {
  switch (sqe.opcode) {
    case IORING_OP_POLL_ADD:
      return static_cast<short>(sqe.poll32_events);
    case IORING_OP_WRITE:
      return POLLOUT;
    default:
      return POLLIN;
  }
}

int result_of(ssize_t size) noexcept { return size < 0 ? -errno : static_cast<int>(size); }

}  // namespace

PollKernel::PollKernel() : sqes_(entries), cqes_(completions_max) {
  operations_.reserve(completions_max);
  polled_.reserve(completions_max);
}

StandIn PollKernel::stand_in() noexcept {
  io_uring queues{};
  queues.ring_fd = queues.enter_ring_fd = -1;
  queues.flags = IORING_SETUP_NO_SQARRAY;
  queues.sq.khead = &sq_head_;
  queues.sq.ktail = &sq_tail_;
  queues.sq.kflags = &sq_flags_;
  queues.sq.sqes = sqes_.data();
  queues.sq.ring_mask = entries - 1;
  queues.sq.ring_entries = entries;
  queues.cq.khead = &cq_head_;
  queues.cq.ktail = &cq_tail_;
  queues.cq.cqes = cqes_.data();
  queues.cq.ring_mask = completions_max - 1;
  queues.cq.ring_entries = completions_max;
  return {queues, {&enter, &now_ns, this}};
}

std::uint64_t PollKernel::now_ns(void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

int PollKernel::enter(void* self, Ring&, unsigned to_submit, unsigned wait_for) noexcept {
  auto& kernel = *static_cast<PollKernel*>(self);
  const unsigned taken = kernel.submit(to_submit);
  if (kernel.ready() < wait_for) {
    while (kernel.ready() < wait_for) kernel.wait(true);
  } else {
    kernel.wait(false);
  }
  return static_cast<int>(taken);
}

// --- what comes ---

unsigned PollKernel::submit(unsigned count) {
  for (unsigned taken = 0; taken < count; ++taken) begin(sqes_[sq_head_++ & (entries - 1)]);
  return count;
}

void PollKernel::begin(const io_uring_sqe& sqe) {
  std::uint64_t due_ns = 0;
  switch (sqe.opcode) {
    case IORING_OP_NOP:
      return complete(sqe.user_data, 0);
    case IORING_OP_ASYNC_CANCEL:
      return cancel(sqe);
    case IORING_OP_TIMEOUT: {
      const auto& time = *reinterpret_cast<const __kernel_timespec*>(sqe.addr);
      due_ns = now_ns(nullptr) + static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
               static_cast<std::uint64_t>(time.tv_nsec);
      break;
    }
    case IORING_OP_POLL_ADD:
    case IORING_OP_RECV:
    case IORING_OP_WRITE:
      break;
    default:
      return complete(sqe.user_data, -EINVAL);
  }
  operations_.push_back({.user_data = sqe.user_data,
                         .address = sqe.addr,
                         .due_ns = due_ns,
                         .size = sqe.len,
                         .done = 0,
                         .flags = sqe.msg_flags,
                         .fd = sqe.opcode == IORING_OP_TIMEOUT ? -1 : sqe.fd,
                         .events = wanted_events(sqe),
                         .opcode = sqe.opcode});
}

void PollKernel::cancel(const io_uring_sqe& sqe) noexcept {
  const bool all = (sqe.cancel_flags & IORING_ASYNC_CANCEL_ANY) != 0;
  int found = 0;
  std::erase_if(operations_, [&](const Operation& operation) {
    if (!all && (found > 0 || operation.user_data != sqe.addr)) return false;
    ++found;
    complete(operation.user_data, -ECANCELED);
    return true;
  });
  complete(sqe.user_data, all ? found : found > 0 ? 0 : -ENOENT);
}

// --- what goes on ---

void PollKernel::wait(bool blocks) {
  std::uint64_t next_ns = ~std::uint64_t{0};
  polled_.clear();
  for (const Operation& operation : operations_) {
    if (operation.opcode == IORING_OP_TIMEOUT) next_ns = std::min(next_ns, operation.due_ns);
    polled_.push_back({operation.fd, operation.events, 0});  // a negative one is passed over
  }
  int wait_ms = 0;
  if (blocks) {
    const std::uint64_t now = now_ns(nullptr);
    const std::uint64_t left_ns = next_ns > now ? next_ns - now : 0;
    // Rounded up, so that it is over when the time is.
    wait_ms =
        next_ns == ~std::uint64_t{0}
            ? -1
            : static_cast<int>(std::min<std::uint64_t>((left_ns + 999'999) / 1'000'000, 60'000));
  }
  if (poll(polled_.data(), polled_.size(), wait_ms) < 0) {
    for (pollfd& one : polled_) one.revents = 0;  // a signal; what is due is due all the same
  }
  std::size_t index = 0;
  std::erase_if(operations_, [&](Operation& operation) {
    const short seen = polled_[index++].revents;
    return has_room() && go_on(operation, seen);
  });
}

// True: it has ended.
bool PollKernel::go_on(Operation& operation, short seen) noexcept {
  const std::uint64_t user_data = operation.user_data;
  if (operation.opcode == IORING_OP_TIMEOUT) {
    if (now_ns(nullptr) < operation.due_ns) return false;
    complete(user_data, -ETIME);
    return true;
  }
  if (seen == 0) return false;
  if ((seen & POLLNVAL) != 0) {
    complete(user_data, -EBADF);
  } else if (operation.opcode == IORING_OP_POLL_ADD) {
    complete(user_data, seen);
  } else if (operation.opcode == IORING_OP_WRITE) {
    const auto* bytes = reinterpret_cast<const void*>(operation.address);
    complete(user_data, result_of(write(operation.fd, bytes, operation.size)));
  } else {
    return receive(operation);
  }
  return true;
}

bool PollKernel::receive(Operation& operation) noexcept {
  const bool waits_for_all = (operation.flags & MSG_WAITALL) != 0;
  const int flags = static_cast<int>(operation.flags & ~unsigned{MSG_WAITALL}) | MSG_DONTWAIT;
  auto* place = reinterpret_cast<char*>(operation.address) + operation.done;
  const int res = result_of(recv(operation.fd, place, operation.size - operation.done, flags));
  if (res == -EAGAIN || res == -EINTR) return false;
  if (res > 0) operation.done += static_cast<std::uint32_t>(res);
  if (res > 0 && waits_for_all && operation.done < operation.size) return false;
  complete(operation.user_data, operation.done > 0 ? static_cast<int>(operation.done) : res);
  return true;
}

void PollKernel::complete(std::uint64_t user_data, int res) noexcept {
  cqes_[cq_tail_++ & (completions_max - 1)] = {.user_data = user_data, .res = res, .flags = 0};
}

}  // namespace lab
