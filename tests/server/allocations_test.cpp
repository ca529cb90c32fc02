// After start() a worker takes no memory from the heap and makes one system call per turn of its
// loop, whatever its clients do: counted, the one by standing in for malloc, the other by a seccomp
// filter on the worker's thread that reports every call but io_uring_enter.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "06-server/lib/protocol/lines.hpp"
#include "06-server/lib/protocol/session/session.hpp"
#include "tests/count_allocations.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

bool count_allocations(WorkerThread::EchoWorker& worker) {
  test::counting = true;
  const bool clean = worker.run();
  test::counting = false;
  return clean;
}

class Allocations : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::allocations_are_counted) GTEST_SKIP() << "a sanitizer has an allocator of its own";
    test::allocations = 0;
    test::frees = 0;
  }
  void TearDown() override {
    EXPECT_EQ(test::allocations.load(), 0U);
    EXPECT_EQ(test::frees.load(), 0U);
  }
};

TEST_F(Allocations, TheCounterCounts) {
  if (sanitized) return;
  test::counting = true;
  delete new std::vector<int>(100);  // two of each
  std::free(std::calloc(1, 1));
  test::counting = false;
  EXPECT_EQ(test::allocations.exchange(0), 3U);
  EXPECT_EQ(test::frees.exchange(0), 3U);
}

TEST_F(Allocations, NoneForAcceptsTrafficAndCloses) {
  WorkerThread worker(WorkerThread::small(), WorkerThread::all_features(), &count_allocations);
  for (unsigned round = 0; round < 5; ++round) {
    std::vector<Stream> clients;
    for (unsigned number = 0; number < 40; ++number) {
      clients.push_back(connect_to(worker.port()));
      ping(clients.back(), number * 500 + 1);
    }
    for (std::size_t number = 0; number < clients.size(); ++number) {
      if (number % 3 == 0) clients[number].finish_and_check(soon());
      if (number % 3 == 1) clients[number].close_with_reset();
    }
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::accepted), 200U);
}

TEST_F(Allocations, NoneForAnswersAndFiles) {
  const std::string content(1'000'000, 'x');
  const Fd fd(memfd_create("lines", MFD_CLOEXEC));
  ASSERT_EQ(write(fd.get(), content.data(), content.size()), 1'000'000);
  const std::array files{LineFile{.name = "big", .fd = fd.get(), .size = content.size()}};
  WorkerOptions options = WorkerThread::small();
  options.pooled_count = 8;
  const auto count = [](Worker<Lines>& worker) {
    test::counting = true;
    const bool clean = worker.run();
    test::counting = false;
    return clean;
  };
  ProtocolThread<Lines> worker(options, all_features(), count, {.files = files});
  const std::string heard =
      std::string(Lines::greeting) + "1: hello\n2: 1000000 bytes of big\n" + content + "3: bye\n";
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 20; ++number) {
    clients.push_back(connect_to(worker.port()));
    ASSERT_EQ(send(clients.back().fd(), "hello\nread big\nbye\n", 19, MSG_NOSIGNAL), 19);
    if (number % 2 == 0) clients.pop_back();  // it goes without a word
  }
  clients.push_back(connect_to(worker.port()));
  ASSERT_EQ(send(clients.back().fd(), "hello\nread big\nbye\n", 19, MSG_NOSIGNAL), 19);
  std::string got;
  std::array<char, 65536> piece;
  for (ssize_t size = 1; size > 0;) {
    ASSERT_NE(clients.back().wait(POLLIN, soon()), 0);
    size = recv(clients.back().fd(), piece.data(), piece.size(), 0);
    if (size > 0) got.append(piece.data(), static_cast<std::size_t>(size));
  }
  EXPECT_TRUE(got == heard) << got.size() << " bytes";
  clients.clear();
  EXPECT_TRUE(worker.finish());
}

// Reads, writes, sleeps, and an end in mid-answer for those that go.
Task allocates_nothing(FramePool&, SessionIo& session) {
  while (const Received got = co_await session.read()) {
    for (Segment& bytes : got.segments) {
      co_await session.write("you said: ");
      co_await session.send(std::move(bytes));
    }
    session.deadline(10'000);
    co_await session.sleep(1);
    co_await session.flush();
  }
  co_return 0;
}

TEST_F(Allocations, NoneForSessions) {
  using Sessions = Session<allocates_nothing>;
  const auto count = [](Worker<Sessions>& worker) {
    test::counting = true;
    const bool clean = worker.run();
    test::counting = false;
    return clean;
  };
  ProtocolThread<Sessions> worker(
      WorkerThread::small(), all_features(), count,
      std::make_unique<Sessions::Shared>(SessionOptions{.frames_max = 30}));
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<Stream> clients;
    // Ten find no frame, and may hear of it as early as in their connect.
    for (unsigned number = 0; number < 40; ++number) {
      try {
        clients.push_back(connect_to(worker.port()));
      } catch (const Failure&) {
        continue;
      }
      send(clients.back().fd(), "hello", 5, MSG_NOSIGNAL);
    }
    ASSERT_GE(clients.size(), 30U);
    std::array<char, 64> heard;
    for (Stream& client : clients) {
      ASSERT_NE(client.wait(POLLIN, soon()), 0);
      recv(client.fd(), heard.data(), heard.size(), 0);
    }
    clients.clear();
    ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) == (round + 1) * 40; }));
  }
  EXPECT_TRUE(worker.finish());
}

TEST_F(Allocations, NoneForPauses) {
  WorkerThread worker(WorkerThread::small(), WorkerThread::all_features(), &count_allocations);
  Stream slow = connect_stuck(worker.port());
  slow.receive(slow.sent() - slow.received(), soon());
  EXPECT_TRUE(worker.finish());
}

TEST_F(Allocations, NoneWhenBuffersRunOut) {
  WorkerOptions options = WorkerThread::small();
  options.buffer_count = 256;
  options.buffer_size = 64;
  options.zero_copy_threshold = 64;
  WorkerThread worker(options, WorkerThread::all_features(), &count_allocations);
  std::vector<Stream> flood;
  for (unsigned number = 0; number < 200; ++number) {
    flood.push_back(connect_to(worker.port()));
  }
  for (unsigned round = 0; round < 5; ++round) {
    for (Stream& client : flood) client.send(20'000, soon());
    for (Stream& client : flood) client.receive(20'000, soon());
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_GT(worker.stat(Stat::no_buffers) + worker.stat(Stat::receives_one_shot), 0U);
}

TEST_F(Allocations, NoneForThoseThatAreShed) {
  // Each has a multishot receive in flight when they send all at once, and a socket that does not
  // take one buffer.
  WorkerOptions options = WorkerThread::small();
  options.connections_max = 600;
  options.buffer_count = 256;
  options.buffer_size = 64 << 10;
  options.drain_deadline_ms = 100;
  options.zero_copy = ZeroCopyMode::never;
  // The worker stands still while they send: what a turn finds then is no matter of luck.
  std::atomic<bool> all_inside = false;
  std::latch stands_still(1);
  std::latch all_sent(1);
  WorkerThread worker(options, WorkerThread::all_features(), [&](WorkerThread::EchoWorker& echo) {
    while (!all_inside) echo.run_once();
    stands_still.count_down();
    all_sent.wait();
    return count_allocations(echo);
  });
  std::vector<Stream> ambush;
  for (unsigned number = 0; number < 500; ++number) {
    ambush.push_back(connect_to(worker.port(), tiny_window));
    ping(ambush.back(), 1);
  }
  Stream neighbour = connect_to(worker.port());
  ping(neighbour);
  all_inside = true;
  stands_still.wait();
  for (Stream& peer : ambush) peer.send_some(64 << 10);
  all_sent.count_down();
  ASSERT_TRUE(eventually([&] {
    ping(neighbour);
    return worker.stat(Stat::shed) > 0;
  }));
  EXPECT_TRUE(worker.finish());
  EXPECT_GT(worker.stat(Stat::shed), 0U);
}

TEST_F(Allocations, NoneForZeroCopy) {
  WorkerOptions options = WorkerThread::small();
  options.zero_copy = ZeroCopyMode::always;
  options.zero_copy_threshold = 0;
  options.drain_deadline_ms = 200;
  WorkerThread worker(options, WorkerThread::all_features(), &count_allocations);
  for (unsigned number = 0; number < 20; ++number) {
    Stream client = connect_to(worker.port());
    ping(client, 50'000);
  }
  Stream stuck = connect_stuck(worker.port());
  EXPECT_TRUE(worker.finish());
  EXPECT_GT(worker.stat(Stat::zero_copy_copied) + worker.stat(Stat::zero_copy_sent), 0U);
}

TEST_F(Allocations, NoneAtTheLimitAndForTheIdle) {
  WorkerOptions options = WorkerThread::small();
  options.connections_max = 4;
  options.idle_timeout_ms = 100;
  WorkerThread worker(options, WorkerThread::all_features(), &count_allocations);
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 20; ++number) {
    clients.push_back(connect_to(worker.port()));
    clients.back().send(10, soon());
  }
  for (Stream& client : clients) client.receive_to_end(soon());
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::idle_closed), 20U);
}

TEST_F(Allocations, NoneWithoutNewerFeatures) {
  Features features = WorkerThread::all_features();
  for (const Feature feature : {Feature::timer_multishot, Feature::slot_options,
                                Feature::recv_retry_limit, Feature::zero_copy_report}) {
    features.pretend(feature, EOPNOTSUPP);
  }
  WorkerThread worker(WorkerThread::small(), features, &count_allocations);
  for (unsigned number = 0; number < 20; ++number) {
    Stream client = connect_to(worker.port());
    ping(client, 50'000);
  }
  Stream slow = connect_stuck(worker.port());
  slow.receive(slow.sent() - slow.received(), soon());
  EXPECT_TRUE(worker.finish());
}

// --- system calls ---

// Lets every system call of one thread but io_uring_enter report to another thread, and go on.
class SystemCalls {
 public:
  ~SystemCalls() {
    ended_ = true;
    if (watcher_.joinable()) watcher_.join();
  }

  /// In the thread that is watched, for the rest of its life.
  /// @return 0 or the errno: a sandbox may forbid it
  int watch_this_thread() {
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    const long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
    if (fd < 0) return errno;
    // From here on this thread's calls wait for the watcher: it cannot be woken by one.
    listener_ = static_cast<int>(fd);
    return 0;
  }

  void start() {
    watcher_ = std::thread([this] { watch(); });
  }
  std::map<int, unsigned> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::atomic<bool> counts{false};

 private:
  void watch() {
    if (!eventually([&] { return listener_ != -1 || ended_; }) || listener_ == -1) return;
    const Fd listener(listener_);
    while (!ended_) {
      pollfd entry{.fd = listener.get(), .events = POLLIN, .revents = 0};
      if (poll(&entry, 1, 50) <= 0) continue;
      if ((entry.revents & POLLIN) == 0) return;  // the thread has ended
      seccomp_notif call{};
      if (ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
      if (counts) {
        const std::lock_guard lock(mutex_);
        ++seen_[call.data.nr];
      }
      seccomp_notif_resp answer{
          .id = call.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
      ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }

  std::thread watcher_;
  std::atomic<int> listener_{-1};
  std::atomic<bool> ended_{false};
  std::mutex mutex_;
  std::map<int, unsigned> seen_;
};

TEST(SystemCalls, TheLoopMakesOnePerTurn) {
  if (sanitized) GTEST_SKIP() << "a sanitizer makes system calls of its own";
  SystemCalls calls;
  calls.start();
  std::atomic<int> refused{-1};
  std::atomic<bool> finish{false};
  unsigned long turns = 0;
  unsigned long enters = 0;
  const auto loop = [&](WorkerThread::EchoWorker& worker) {
    const int error = calls.watch_this_thread();
    refused = error;
    calls.counts = error == 0;
    const std::uint64_t before = worker.ring().counters().enters;
    for (; !finish; ++turns) worker.run_once();
    enters = worker.ring().counters().enters - before;
    calls.counts = false;
    worker.drain();
    return worker.run();
  };
  WorkerThread worker(WorkerThread::small(), WorkerThread::all_features(), loop);
  // Also where a client fails: the loop knows no other end.
  const struct Finish {
    std::atomic<bool>& flag;
    ~Finish() { flag = true; }
  } at_the_end{finish};
  ASSERT_TRUE(eventually([&] { return refused != -1; }));
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<Stream> clients;
    for (unsigned number = 0; number < 30; ++number) {
      clients.push_back(connect_to(worker.port()));
      ping(clients.back(), 10'000);
    }
    Stream slow = connect_stuck(worker.port());
    slow.receive(slow.sent() - slow.received(), soon());
  }
  finish = true;
  EXPECT_TRUE(worker.join());
  EXPECT_EQ(enters, turns) << "a turn is one io_uring_enter";
  if (refused != 0) GTEST_SKIP() << "no seccomp notifications here: errno " << refused;
  // Once a tick the worker reads its CPU time, which is a system call.
  for (const auto& [number, times] : calls.seen()) {
    EXPECT_EQ(number, SYS_clock_gettime) << times << " times";
  }
  EXPECT_EQ(calls.seen().size(), 1U) << "the filter sees nothing";
}

TEST(SystemCalls, ManyConnectionsShareOne) {
  const Clock::time_point begin = Clock::now();
  WorkerThread worker;
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 100; ++number) {
    clients.push_back(connect_to(worker.port()));
    ping(clients.back());
  }
  // The worker sleeps until the first of each round; by then the others may follow.
  constexpr unsigned rounds = 50;
  for (unsigned round = 0; round < rounds; ++round) {
    for (Stream& client : clients) client.send(64, soon());
    for (Stream& client : clients) client.receive(64, soon());
  }
  EXPECT_TRUE(worker.finish());
  const std::uint64_t requests = worker.stat(Stat::receives);
  EXPECT_GE(requests, 100U * rounds);
  // Two for a request that comes alone: its receive, and the send's result. And one for each tick,
  // of which there are more the longer this takes.
  const auto ticks_max = static_cast<std::uint64_t>((Clock::now() - begin) / 1ms);
  EXPECT_LE(worker.stat(Stat::enters), 2 * requests + 1000 + ticks_max);
  EXPECT_EQ(worker.stat(Stat::cq_overflows), 0U);
}

}  // namespace
}  // namespace lab
