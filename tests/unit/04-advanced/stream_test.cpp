#include "04-advanced/lib/stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <random>

#include "01-core/lib/timer.hpp"
#include "tests/unit/04-advanced/task_support.hpp"

namespace lab {
namespace {

constexpr std::uint32_t buffer_count = 128;
constexpr std::uint32_t buffer_size = 16;

struct Streaming : Connected {
  Frames frames;
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * buffer_size);
  BufferRing buffers{ring, {.count = buffer_count, .size = buffer_size}, memory};
  LeasePool leases{buffer_count};

  // What a task found out.
  std::vector<std::byte> received;
  std::vector<BufferLease> kept;
  std::uint32_t most_waiting = 0;
  std::uint64_t pauses = 0;
  bool gone = false;
};

void append(std::vector<std::byte>& to, const BufferLease& lease) {
  to.insert(to.end(), lease.bytes().begin(), lease.bytes().end());
}

/// Naps before every `nap_every`-th item, then takes it; to the end of the stream.
Task take_all(FramePool&, Streaming& test, std::uint32_t leases_max, int nap_every) {
  const Witness witness(test.gone);
  Stream stream(test.ring, test.pair.slot, test.buffers, test.leases, leases_max);
  for (int turn = 1;; ++turn) {
    if (nap_every > 0 && turn % nap_every == 0) co_await Await<Timer>(test.ring, 1'000'000U);
    test.most_waiting = std::max(test.most_waiting, stream.waiting_count());
    const Stream::Item item = co_await stream.next();
    test.pauses = stream.pauses();
    if (item.res <= 0) co_return item.res;
    EXPECT_EQ(static_cast<std::uint32_t>(item.res), item.lease.size());
    append(test.received, item.lease);
  }
}

/// Takes `count` items, stops the stream, and waits a moment: what it does not read stays.
Task take_some(FramePool&, Streaming& test, int count) {
  Stream stream(test.ring, test.pair.slot, test.buffers, test.leases, 8);
  for (int turn = 0; turn < count; ++turn) {
    const Stream::Item item = co_await stream.next();
    if (item.res <= 0) co_return item.res;
    append(test.received, item.lease);
  }
  co_await stream.stop();
  EXPECT_EQ(stream.waiting_count(), 0U);
  const Stream::Item after = co_await stream.next();
  co_return after.res;
}

TEST(Stream, GivesEveryByteInOrderAndThenTheFin) {
  Streaming test;
  Task task = take_all(test.frames.pool, test, 8, 0);
  task.start();
  test.ring.run_once(0);
  send_all(test.pair.client, pattern(1000));
  run_until(test.ring, [&] { return test.received.size() == 1000; });
  send_all(test.pair.client, pattern(500, 1000));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 0);
  EXPECT_EQ(test.received, pattern(1500));
  EXPECT_EQ(test.buffers.free(), buffer_count);
  EXPECT_EQ(test.pauses, 0U) << "a task that keeps up makes nobody wait";
  EXPECT_EQ(test.ring.armed_count(), 0U);
}

TEST(Stream, ASlowTaskMakesThePeerWaitAndLosesNothing) {
  constexpr std::size_t total = 20'000;
  Streaming test;
  Task task = take_all(test.frames.pool, test, 8, 50);
  task.start();
  send_all(test.pair.client, pattern(total));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 0);
  EXPECT_EQ(test.received, pattern(total));
  EXPECT_GT(test.pauses, 0U);
  EXPECT_LE(test.most_waiting, buffer_count);
  EXPECT_EQ(test.buffers.free(), buffer_count);
}

// One batch: the item queues a pause's cancel, and the FIN ends the receive before that cancel is
// submitted. With the end the task leaves its frame: nothing of the stream may be armed then.
TEST(Stream, TheEndWaitsForThePausesCancel) {
  Streaming test;
  send_all(test.pair.client, pattern(1));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  Task task = take_all(test.frames.pool, test, 1, 0);
  task.start();
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 0);
  EXPECT_EQ(test.received, pattern(1));
  EXPECT_EQ(test.pauses, 1U);
  EXPECT_EQ(test.ring.armed_count(), 0U);
  EXPECT_EQ(test.buffers.free(), buffer_count);
}

TEST(Stream, NothingIsArmedBeforeSomebodyWantsData) {
  Streaming test;
  const auto nap_only = [](FramePool&, Streaming& all) -> Task {
    Stream stream(all.ring, all.pair.slot, all.buffers, all.leases, 8);
    co_await Await<Timer>(all.ring, 1'000'000U);
    co_return static_cast<int>(stream.waiting_count());
  };
  send_all(test.pair.client, pattern(100));
  Task task = nap_only(test.frames.pool, test);
  task.start();
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 0);
  EXPECT_EQ(test.buffers.free(), buffer_count);
}

TEST(Stream, StopGivesBackWhatNobodyTook) {
  Streaming test;
  Task task = take_some(test.frames.pool, test, 3);
  task.start();
  send_all(test.pair.client, pattern(1000));
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -ECANCELED) << "a stopped stream has ended";
  EXPECT_EQ(test.received, pattern(48));
  EXPECT_EQ(test.buffers.free(), buffer_count);
  EXPECT_EQ(test.ring.armed_count(), 0U);
}

TEST(Stream, AResetIsAResult) {
  Streaming test;
  Task task = take_all(test.frames.pool, test, 8, 0);
  task.start();
  test.ring.run_once(0);
  reset_connection(test.pair.client);
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -ECONNRESET);
}

TEST(Stream, CancelEndsIt) {
  Streaming test;
  Task task = take_all(test.frames.pool, test, 8, 0);
  task.start();
  test.ring.run_once(0);
  task.cancel();
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -ECANCELED);
  EXPECT_EQ(test.ring.armed_count(), 0U);
}

TEST(Stream, DestroyedWhileItWaitsForData) {
  Streaming test;
  {
    Task task = take_all(test.frames.pool, test, 8, 0);
    task.start();
    test.ring.run_once(0);
  }
  EXPECT_FALSE(test.gone);
  run_until(test.ring, [&] { return test.frames.pool.used() == 0; });
  EXPECT_TRUE(test.gone);
  EXPECT_EQ(test.ring.armed_count(), 0U);
}

// The task waits for a timer; the receive is armed too, and leases lie in the queue.
TEST(Stream, DestroyedWhileItWaitsForSomethingElse) {
  for (const std::uint32_t leases_max : {1U, 4U, 1000U}) {
    Streaming test;
    const auto dawdle = [](FramePool&, Streaming& all, std::uint32_t most) -> Task {
      const Witness witness(all.gone);
      Stream stream(all.ring, all.pair.slot, all.buffers, all.leases, most);
      const Stream::Item item = co_await stream.next();
      EXPECT_GT(item.res, 0);
      co_await Await<Timer>(all.ring, 3'600'000'000'000U);
      co_return -1;
    };
    {
      Task task = dawdle(test.frames.pool, test, leases_max);
      task.start();
      send_all(test.pair.client, pattern(1000));
      run_until(test.ring, [&] { return test.buffers.free() < buffer_count; });
    }
    EXPECT_FALSE(test.gone);
    run_until(test.ring, [&] { return test.frames.pool.used() == 0; });
    EXPECT_TRUE(test.gone);
    EXPECT_EQ(test.ring.armed_count(), 0U);
    EXPECT_EQ(test.buffers.free(), buffer_count);
  }
}

TEST(Stream, NoBufferIsAResultThatPasses) {
  Streaming test;
  const auto hoard = [](FramePool&, Streaming& all) -> Task {
    Stream stream(all.ring, all.pair.slot, all.buffers, all.leases, buffer_count);
    int refusals = 0;
    for (;;) {
      Stream::Item item = co_await stream.next();
      if (item.res == -ENOBUFS) {
        ++refusals;
        EXPECT_EQ(all.kept.size(), buffer_count);
        for (const BufferLease& lease : all.kept) append(all.received, lease);
        all.kept.clear();
        continue;
      }
      if (item.res <= 0) {
        for (const BufferLease& lease : all.kept) append(all.received, lease);
        all.kept.clear();
        co_return refusals;
      }
      all.kept.push_back(std::move(item.lease));
    }
  };
  constexpr std::size_t total = 3 * buffer_count * buffer_size + 5;
  Task task = hoard(test.frames.pool, test);
  task.start();
  send_all(test.pair.client, pattern(total));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(test.received, pattern(total));
  EXPECT_GE(task.result(), 3);
  EXPECT_EQ(test.buffers.free(), buffer_count);
}

// Whatever ends a multishot early, the stream goes on.
TEST(Stream, AFullCompletionQueueLosesNothing) {
  Ring ring({.sq_entries = 4, .cq_entries = 8});
  const FileTable table(ring, 16);
  const Listener listener{ListenerOptions{}};
  const TcpPair pair(ring, listener);
  Frames frames;
  std::vector<std::byte> memory(buffer_count * buffer_size);
  BufferRing buffers(ring, {.count = buffer_count, .size = buffer_size}, memory);
  LeasePool leases(buffer_count);
  std::vector<std::byte> received;
  const auto take = [](FramePool&, Ring& on, FileSlot slot, BufferRing& from, LeasePool& pool,
                       std::vector<std::byte>& to) -> Task {
    Stream stream(on, slot, from, pool, buffer_count);
    for (;;) {
      const Stream::Item item = co_await stream.next();
      if (item.res <= 0) co_return item.res;
      append(to, item.lease);
    }
  };
  Task task = take(frames.pool, ring, pair.slot, buffers, leases, received);
  send_all(pair.client, pattern(10'000));
  ::shutdown(pair.client.get(), SHUT_WR);
  task.start();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 0);
  EXPECT_EQ(received, pattern(10'000));
}

// At any moment: before the first byte, during a pause, between the two CQEs of a pause, in a nap.
TEST(Stream, DestroyedAtAnyMomentItIsJoinedAndEveryBufferComesHome) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::minstd_rand random(seed + 1);
    const auto draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    Streaming test;
    Task task = take_all(test.frames.pool, test, 1 + draw(40), static_cast<int>(draw(8)));
    task.start();
    std::size_t sent = 0;
    for (unsigned step = draw(12); step > 0; --step) {
      const std::size_t count = 1 + draw(1500);
      send_all(test.pair.client, pattern(count, sent));
      sent += count;
      for (unsigned turn = draw(3); turn > 0; --turn) test.ring.run_once(0);
    }
    if (draw(2) == 0) ::shutdown(test.pair.client.get(), SHUT_WR);
    if (draw(3) == 0) task.cancel();
    if (draw(2) == 0) test.ring.run_once(0);
    const bool was_done = task.done();
    task = Task{};
    EXPECT_TRUE(!was_done || test.gone);
    run_until(test.ring, [&] { return test.frames.pool.used() == 0; });
    EXPECT_TRUE(test.gone) << seed;
    EXPECT_EQ(test.ring.armed_count(), 0U) << seed;
    EXPECT_EQ(test.buffers.free(), buffer_count) << seed;
    ASSERT_LE(test.received.size(), sent);
    EXPECT_EQ(test.received, pattern(test.received.size())) << seed;
  }
}

TEST(StreamDeath, LeftWithoutAStopItIsStopped) {
  EXPECT_DEATH(
      {
        Streaming test;
        const auto leave = [](FramePool&, Streaming& all) -> Task {
          Stream stream(all.ring, all.pair.slot, all.buffers, all.leases, 8);
          const Stream::Item item = co_await stream.next();
          co_return item.res;
        };
        Task task = leave(test.frames.pool, test);
        task.start();
        send_all(test.pair.client, pattern(1));
        run_until(test.ring, [&] { return task.done(); });
      },
      "armed_");
}

}  // namespace
}  // namespace lab
