// A ring without io_uring: what the supervisor asks of it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/check.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/output.hpp"
#include "06-server/lib/process/poll_kernel.hpp"

namespace lab {
namespace {

/// An operation of any kind, and what it brought.
class Operation {
 public:
  explicit Operation(Ring& ring) : ring_(ring) {}
  /// @param prepare fills the SQE
  template <class Prepare>
  void start(const Prepare& prepare) {
    result.reset();
    io_uring_sqe* sqe = ring_.sqe();
    prepare(sqe);
    ring_.arm(sqe, step_);
  }
  const Completion& step() const { return step_; }

  std::optional<int> result;

 private:
  class Step : public Completion {
   public:
    using Completion::Completion;
  };
  void on_done(Cqe cqe) noexcept { result = cqe.res; }

  Ring& ring_;
  Bind<Step, &Operation::on_done> step_{*this};
};

class PollKernelTest : public testing::Test {
 protected:
  PollKernelTest() {
    int pair[2];
    check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    near_ = Fd(pair[0]);
    far_ = Fd(pair[1]);
  }

  PollKernel kernel_;
  StandIn stand_in_ = kernel_.stand_in();
  Ring ring_{{.stand_in = &stand_in_}};
  Fd near_;
  Fd far_;
};

TEST_F(PollKernelTest, BringsATimeoutWhenItsTimeIsOverAndNotBefore) {
  Operation timeout(ring_);
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 20'000'000};
  const std::uint64_t begin_ns = ring_.now_ns();
  timeout.start([&](io_uring_sqe* sqe) { io_uring_prep_timeout(sqe, &time, 0, 0); });
  ring_.run_once(0);
  EXPECT_FALSE(timeout.result);
  ring_.run_once();
  EXPECT_EQ(timeout.result, -ETIME);
  EXPECT_GE(ring_.now_ns() - begin_ns, 20'000'000U);
}

TEST_F(PollKernelTest, APollEndsWithBytesAndWithTheEnd) {
  Operation polls(ring_);
  const auto prepare = [&](io_uring_sqe* sqe) { io_uring_prep_poll_add(sqe, near_.get(), POLLIN); };
  polls.start(prepare);
  ring_.run_once(0);
  EXPECT_FALSE(polls.result);
  ASSERT_EQ(write(far_.get(), "x", 1), 1);
  ring_.run_once();
  ASSERT_TRUE(polls.result);
  EXPECT_NE(*polls.result & POLLIN, 0);
  char byte = 0;
  ASSERT_EQ(read(near_.get(), &byte, 1), 1);
  polls.start(prepare);
  ring_.run_once(0);
  EXPECT_FALSE(polls.result);
  far_.reset();
  ring_.run_once();
  ASSERT_TRUE(polls.result);
  EXPECT_NE(*polls.result & (POLLIN | POLLHUP), 0);
}

TEST_F(PollKernelTest, AReceiveWaitsForAllAndGetsLessOnlyAtTheEnd) {
  Operation receives(ring_);
  std::array<char, 6> text{};
  const auto prepare = [&](io_uring_sqe* sqe) {
    io_uring_prep_recv(sqe, near_.get(), text.data(), text.size(), MSG_WAITALL);
  };
  receives.start(prepare);
  ASSERT_EQ(write(far_.get(), "abc", 3), 3);
  ring_.run_once(0);
  EXPECT_FALSE(receives.result);
  ASSERT_EQ(write(far_.get(), "def", 3), 3);
  ring_.run_once();
  EXPECT_EQ(receives.result, 6);
  EXPECT_EQ(std::string(text.data(), text.size()), "abcdef");
  receives.start(prepare);
  ASSERT_EQ(write(far_.get(), "gh", 2), 2);
  ring_.run_once(0);
  far_.reset();
  ring_.run_once();
  EXPECT_EQ(receives.result, 2);
  receives.start(prepare);
  ring_.run_once();
  EXPECT_EQ(receives.result, 0);
}

TEST_F(PollKernelTest, AFullPipeTakesALineWhenThereIsRoom) {
  int pipe_fds[2];
  check_errno(pipe2(pipe_fds, O_CLOEXEC), "pipe2");
  const Fd reader(pipe_fds[0]);
  const Fd writer(pipe_fds[1]);
  fcntl(writer.get(), F_SETFL, O_NONBLOCK);
  const std::string page(4096, 'x');
  std::size_t filled = 0;
  while (write(writer.get(), page.data(), page.size()) > 0) filled += page.size();
  fcntl(writer.get(), F_SETFL, 0);  // from here on a write would block
  Output output(ring_, writer.get(), 1 << 16);
  ASSERT_TRUE(output.write("a line\n"));
  ring_.run_once(0);
  EXPECT_FALSE(output.idle());
  std::string all(filled, ' ');
  for (std::size_t done = 0; done < filled;) {
    const ssize_t size = read(reader.get(), all.data() + done, filled - done);
    ASSERT_GT(size, 0);
    done += static_cast<std::size_t>(size);
  }
  ring_.run_once();
  EXPECT_TRUE(output.idle());
  char line[16] = {};
  EXPECT_EQ(read(reader.get(), line, sizeof line), 7);
  EXPECT_STREQ(line, "a line\n");
}

TEST_F(PollKernelTest, ACancelEndsItsTargetAndNoOther) {
  Operation one(ring_);
  Operation two(ring_);
  Operation cancel(ring_);
  for (Operation* operation : {&one, &two}) {
    operation->start([&](io_uring_sqe* sqe) { io_uring_prep_poll_add(sqe, near_.get(), POLLIN); });
  }
  const auto prepare = [&](io_uring_sqe* sqe) {
    io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&one.step()), 0);
  };
  cancel.start(prepare);
  ring_.run_once();
  EXPECT_EQ(one.result, -ECANCELED);
  EXPECT_EQ(cancel.result, 0);
  EXPECT_FALSE(two.result);
  cancel.start(prepare);
  ring_.run_once();
  EXPECT_EQ(cancel.result, -ENOENT);
  cancel.start([](io_uring_sqe* sqe) {
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  });
  ring_.run_once();
  EXPECT_EQ(two.result, -ECANCELED);
  EXPECT_EQ(cancel.result, 1);
}

TEST_F(PollKernelTest, WhatItDoesNotKnowIsInvalid) {
  Operation unknown(ring_);
  unknown.start(
      [&](io_uring_sqe* sqe) { io_uring_prep_accept(sqe, near_.get(), nullptr, nullptr, 0); });
  ring_.run_once();
  EXPECT_EQ(unknown.result, -EINVAL);
  Operation closed(ring_);
  closed.start([](io_uring_sqe* sqe) { io_uring_prep_poll_add(sqe, 9999, POLLIN); });
  ring_.run_once();
  EXPECT_EQ(closed.result, -EBADF);
}

}  // namespace
}  // namespace lab
