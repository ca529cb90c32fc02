#include "05-performance/lib/trace.hpp"

#include <gtest/gtest.h>
#include <liburing.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "01-core/lib/check.hpp"

namespace lab {
namespace {

/// A raw ring that is gone with the test, and a pipe that nobody writes to.
struct TestRing {
  explicit TestRing(unsigned sq_size, unsigned flags = 0, unsigned cq_size = 0) {
    io_uring_params params{};
    params.flags = flags | (cq_size != 0 ? IORING_SETUP_CQSIZE : 0U);
    params.cq_entries = cq_size;
    check(io_uring_queue_init_params(sq_size, &ring, &params), "io_uring_queue_init_params");
    check_errno(pipe(ends.data()), "pipe");
  }
  ~TestRing() {
    io_uring_queue_exit(&ring);
    close(ends[0]);
    close(ends[1]);
  }
  TestRing(const TestRing&) = delete;
  TestRing& operator=(const TestRing&) = delete;

  void nops(int count) {
    for (int i = 0; i < count; ++i) {
      io_uring_prep_nop(io_uring_get_sqe(&ring));
      check(io_uring_submit(&ring), "io_uring_submit");
    }
  }
  RingState state() const { return Trace(getpid()).read(ring.ring_fd); }

  io_uring ring{};
  std::array<int, 2> ends{};
};

bool says(const RingState& state, const std::string& words) {
  for (const std::string& line : explain(state)) {
    if (line.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Trace, FindsTheRingsAmongTheDescriptors) {
  const std::size_t before = Trace(getpid()).rings().size();
  const TestRing first(4);
  const TestRing second(4);
  const std::vector<int> rings = Trace(getpid()).rings();
  ASSERT_EQ(rings.size(), before + 2);
  EXPECT_EQ(std::count(rings.begin(), rings.end(), first.ring.ring_fd), 1);
  EXPECT_EQ(std::count(rings.begin(), rings.end(), second.ring.ring_fd), 1);
}

TEST(Trace, ANewRingPublishedNothing) {
  const TestRing test(4);
  const RingState state = test.state();
  EXPECT_TRUE(state.complete);
  EXPECT_EQ(state.sq_size, 4U);
  EXPECT_EQ(state.cq_size, 8U);
  EXPECT_EQ(state.published() + state.unread() + state.overflowed, 0U);
  EXPECT_EQ(state.sq_thread, -1);
  EXPECT_TRUE(says(state, "nothing was ever published"));
}

TEST(Trace, CountsUnreadCqesAndShowsThem) {
  TestRing test(4);
  io_uring_sqe* sqe = io_uring_get_sqe(&test.ring);
  io_uring_prep_close(sqe, -1);
  io_uring_sqe_set_data64(sqe, 77);
  check(io_uring_submit(&test.ring), "io_uring_submit");
  test.nops(2);
  const RingState state = test.state();
  EXPECT_EQ(state.unread(), 3U);
  ASSERT_EQ(state.cqes.size(), 3U);
  EXPECT_EQ(state.cqes[0].user_data, 77U);
  EXPECT_EQ(state.cqes[0].res, -EBADF);
  EXPECT_TRUE(says(state, "3 CQEs arrived, not read"));
  io_uring_cq_advance(&test.ring, 3);
  EXPECT_TRUE(says(test.state(), "all 3 requests are answered"));
}

TEST(Trace, CountsWhatDidNotFitIntoTheCq) {
  TestRing test(2, 0, 4);
  test.nops(6);
  const RingState state = test.state();
  EXPECT_EQ(state.unread(), 4U);
  EXPECT_EQ(state.overflowed, 2U);
  EXPECT_TRUE(says(state, "2 completions wait outside its 4 places"));
}

TEST(Trace, NamesTheOperationsThatWaitForAFile) {
  TestRing test(4);
  std::array<char, 8> buffer{};
  io_uring_prep_read(io_uring_get_sqe(&test.ring), test.ends[0], buffer.data(), 8, 0);
  io_uring_prep_poll_add(io_uring_get_sqe(&test.ring), test.ends[0], POLLIN);
  __kernel_timespec one_hour{.tv_sec = 3600, .tv_nsec = 0};
  io_uring_prep_timeout(io_uring_get_sqe(&test.ring), &one_hour, 0, 0);
  check(io_uring_submit(&test.ring), "io_uring_submit");
  const RingState state = test.state();
  EXPECT_EQ(state.polls.size(), 2U);
  EXPECT_EQ(state.unanswered(), 3);
  EXPECT_TRUE(says(state, "2 polls armed, each waits for its file: POLL_ADD 1, READ 1"));
  EXPECT_TRUE(says(state, "1 more request without a CQE"));
}

TEST(Trace, CountsRegisteredFilesAndBuffers) {
  TestRing test(4);
  const std::array files{test.ends[0], -1, test.ends[1], -1};
  check(io_uring_register_files(&test.ring, files.data(), 4), "io_uring_register_files");
  std::array<char, 64> bytes{};
  const iovec buffer{.iov_base = bytes.data(), .iov_len = bytes.size()};
  check(io_uring_register_buffers(&test.ring, &buffer, 1), "io_uring_register_buffers");
  const RingState state = test.state();
  EXPECT_EQ(state.files, 4U);
  EXPECT_EQ(state.files_used, 2U);
  EXPECT_EQ(state.buffers, 1U);
}

TEST(Trace, SeesAPollingThreadAndAThreadThatWaits) {
  const TestRing polled(4, IORING_SETUP_SQPOLL);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto in_time = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return std::chrono::steady_clock::now() < deadline;
  };
  // The thread takes its name when it begins to run.
  while (Trace(getpid()).threads().pollers == 0 && in_time()) continue;
  EXPECT_GE(Trace(getpid()).threads().pollers, 1U);
  EXPECT_GT(polled.state().sq_thread, 0);

  TestRing test(4);
  std::atomic<pid_t> waiter = 0;
  std::thread thread([&] {
    waiter = gettid();
    io_uring_cqe* cqe = nullptr;
    io_uring_wait_cqe_nr(&test.ring, &cqe, 2);
  });
  const auto find = [&] {
    for (const RingWaiter& one : Trace(getpid()).waiters()) {
      if (one.thread == waiter && one.fd == test.ring.ring_fd) return one.min_complete;
    }
    return 0U;
  };
  unsigned found = 0;
  while (found == 0 && in_time()) found = find();
  // Some kernels are built without /proc/PID/syscall; then nothing is said, and nothing is wrong.
  if (access("/proc/self/syscall", R_OK) == 0) {
    EXPECT_EQ(found, 2U);
  }
  test.nops(2);
  thread.join();
}

TEST(Trace, ARingWithoutItsFdIsCounted) {
  TestRing test(4);
  check(io_uring_register_ring_fd(&test.ring), "io_uring_register_ring_fd");
  const unsigned before = Trace(getpid()).rings_without_fd();
  check(io_uring_close_ring_fd(&test.ring), "io_uring_close_ring_fd");
  EXPECT_EQ(Trace(getpid()).rings_without_fd(), before + 1);
}

TEST(Trace, AProcessThatIsNotThereIsAnError) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  try {
    const Trace trace(child);
    ADD_FAILURE() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_process);
  }
  EXPECT_THROW(Trace(getpid()).read(1 << 20), std::system_error);
}

// A ring of another user. Root sees all, so a child gives its rights away first.
TEST(Trace, AProcessOfAnotherUserIsAnError) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const pid_t other = getpid();
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
    try {
      const Trace trace(other);
    } catch (const std::system_error& error) {
      _exit(error.code() == std::errc::permission_denied ? 0 : 1);
    }
    _exit(1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(TraceText, WithoutTheRingsPartNothingIsMadeUp) {
  const RingState state = parse_ring_state("pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1\n");
  EXPECT_FALSE(state.complete);
  EXPECT_TRUE(says(state, "another thread had its lock"));
}

TEST(TraceText, CountersMayHaveWrapped) {
  const RingState state = parse_ring_state(
      "SqMask:\t0x3\nSqHead:\t4294967295\nSqTail:\t1\nCachedSqHead:\t7\nCqMask:\t0x7\n"
      "CqHead:\t4294967290\nCqTail:\t2\nCachedCqTail:\t9\nSqThread:\t-1\n");
  EXPECT_EQ(state.published(), 2U);
  EXPECT_EQ(state.unread(), 8U);
  EXPECT_TRUE(says(state, "2 SQEs published, not taken by the kernel"));
}

TEST(TraceText, ASleepingPollingThreadIsNamed) {
  EXPECT_TRUE(says(parse_ring_state("SqMask:\t0x3\nSqHead:\t0\nSqTail:\t1\nSqThread:\t42\n"),
                   "thread 42 polls this ring: is it asleep?"));
}

TEST(TraceText, OperationsHaveTheKernelsNames) {
  EXPECT_EQ(operation_name(IORING_OP_NOP), "NOP");
  EXPECT_EQ(operation_name(IORING_OP_RECV), "RECV");
  EXPECT_EQ(operation_name(IORING_OP_LISTEN), "LISTEN");
  EXPECT_EQ(operation_name(62), "PIPE");
  EXPECT_EQ(operation_name(99), "operation 99");
}

}  // namespace
}  // namespace lab
