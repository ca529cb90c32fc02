// One worker in a thread: what its clients see, and that its destructors find nothing left.

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

// Every receive is one-shot with so few, and two peers that do not read hold them all.
WorkerOptions tiny_ring() {
  return {.connections_max = 64,
          .buffer_count = 8,
          .buffer_size = 64,
          .zero_copy = ZeroCopyMode::never,
          .zero_copy_threshold = 64,
          .drain_deadline_ms = 100};
}

// What can go wrong in each way of sending and receiving: order, sizes, several at a time.
void expect_right_echoes(std::uint16_t port) {
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 4; ++number) clients.push_back(connect_to(port));
  for (const std::size_t size : {1U, 63U, 64U, 65U, 4096U, 16384U, 16385U, 100'000U}) {
    for (Stream& client : clients) ping(client, size);
  }
  ping(clients.front(), 2 << 20);
  clients[1].send(50'000, soon());
  clients[1].finish_and_check(soon());
  clients[2].close_with_reset();
  ping(clients[3]);
}

bool waits_in_vain(Stream& client, Clock::duration time) {
  return client.wait(POLLIN, Deadline(time)) == 0;
}

TEST(Worker, EchoesWhatItGets) {
  WorkerThread worker;
  expect_right_echoes(worker.port());
  ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) >= 2; }));
  EXPECT_EQ(worker.stat(Stat::accepted), 4U);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::closed), 4U);
  EXPECT_EQ(worker.stat(Stat::bytes_in), worker.stat(Stat::bytes_out));
  EXPECT_EQ(worker.stat(Stat::cq_overflows), 0U);
}

TEST(Worker, EndsAtOnceWithoutClients) {
  WorkerThread worker;
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, ManyComeAndGo) {
  WorkerThread worker;
  for (unsigned number = 0; number < 500; ++number) {
    Stream client = connect_to(worker.port());
    if (number % 3 == 0) ping(client);
    if (number % 5 == 0) client.send(10, soon());
    if (number % 2 == 0) client.close_with_reset();
  }
  ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) >= 400; }));
  Stream last = connect_to(worker.port());
  ping(last);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::closed), worker.stat(Stat::accepted));
}

TEST(Worker, AHalfClosedClientGetsAllBeforeTheEnd) {
  WorkerThread worker;
  Stream client = connect_to(worker.port());
  client.send(200'000, soon());
  client.finish_and_check(soon());
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, ASlowReaderIsPausedAndGetsEverything) {
  WorkerOptions options = WorkerThread::small();
  options.buffer_size = 1024;
  WorkerThread worker(options);
  Stream client = connect_stuck(worker.port());
  ASSERT_TRUE(eventually([&] {
    client.send_some(1 << 16);
    return worker.stat(Stat::pauses) > 0;
  }));
  client.receive(client.sent() - client.received(), soon());
  ping(client, 1 << 20);
  client.finish_and_check(soon());
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::shed), 0U);
}

// --- the limit ---

TEST(Worker, WhoComesAfterTheLimitWaitsAndIsServedLater) {
  WorkerOptions options = WorkerThread::small();
  options.connections_max = 4;
  WorkerThread worker(options);
  std::vector<Stream> inside;
  for (unsigned number = 0; number < 4; ++number) {
    inside.push_back(connect_to(worker.port()));
    ping(inside.back());
  }
  std::vector<Stream> waiting;
  for (unsigned number = 0; number < 8; ++number) {
    waiting.push_back(connect_to(worker.port()));
    waiting.back().send(100, soon());
  }
  EXPECT_TRUE(waits_in_vain(waiting.front(), 100ms));
  for (Stream& client : inside) ping(client);
  EXPECT_EQ(worker.stat(Stat::accepted), 4U);

  for (std::size_t number = 0; number < waiting.size(); ++number) {
    if (number < inside.size()) {
      inside[number].close();
    } else {
      waiting[number - inside.size()].finish_and_check(soon());
    }
    waiting[number].receive(100, soon());
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::accept_errors), 0U);
  EXPECT_EQ(worker.stat(Stat::accepted), 12U);
}

TEST(Worker, OneSlotServesOneAfterTheOther) {
  WorkerOptions options = WorkerThread::small();
  options.connections_max = 1;
  WorkerThread worker(options);
  for (unsigned number = 0; number < 50; ++number) {
    Stream client = connect_to(worker.port());
    ping(client);
    if (number % 2 == 0) client.finish_and_check(soon());
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::accept_errors), 0U);
}

// --- time ---

TEST(Worker, TheIdleTimeoutClosesTheIdleAndKeepsTheActive) {
  WorkerOptions options = WorkerThread::small();
  options.idle_timeout_ms = 1000;
  WorkerThread worker(options);
  Stream idle = connect_to(worker.port());
  Stream silent = connect_to(worker.port());
  Stream active = connect_to(worker.port());
  ping(idle);
  const Clock::time_point last = Clock::now();
  Pauses pauses;
  try {
    while (worker.stat(Stat::idle_closed) < 2 && Clock::now() < last + patience) {
      ping(active);
      pauses.acted();
      std::this_thread::sleep_for(20ms);
    }
    EXPECT_GE(Clock::now() - last, 900ms) << "the time begins with the last activity";
    ping(active);
  } catch (const Failure& failure) {
    if (pauses.longest() < 500ms) throw;
    worker.finish();
    GTEST_SKIP() << "this machine held the active client up until it was idle: " << failure.what();
  }
  idle.receive_to_end(soon());
  silent.receive_to_end(soon());
  EXPECT_EQ(worker.stat(Stat::idle_closed), 2U);
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, TheIdleTimeoutResetsAPeerThatTakesNothing) {
  WorkerOptions options = WorkerThread::small();
  options.idle_timeout_ms = 700;
  WorkerThread worker(options);
  Stream stuck = connect_stuck(worker.port());
  ASSERT_TRUE(eventually([&] { return worker.stat(Stat::idle_closed) == 1; }));
  ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) == 1; }));
  EXPECT_NE(stuck.wait(POLLOUT, soon()), 0);
  stuck.send_some(1);
  EXPECT_TRUE(stuck.was_reset());
  EXPECT_TRUE(worker.finish());
}

// --- few buffers ---

// That a neighbour is served at all; how long it waits for its turn at most is what the fake kernel
// says, whose time does not depend on the machine.
TEST(Worker, PeersThatDoNotReadDoNotKeepANeighbourWaiting) {
  WorkerThread worker(tiny_ring());
  std::vector<Stream> stuck;
  for (unsigned number = 0; number < 4; ++number) {
    stuck.push_back(connect_stuck(worker.port(), 50ms));
  }
  Stream neighbour = connect_to(worker.port());
  for (unsigned round = 0; round < 20; ++round) ping(neighbour, 32);
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, PeersThatHoldEveryBufferAreResetForANeighbour) {
  // A buffer is larger than what a socket that has room takes, so each peer can keep one.
  WorkerOptions options = tiny_ring();
  options.buffer_size = 256 << 10;
  WorkerThread worker(options);
  std::vector<Stream> stuck;
  for (unsigned number = 0; number < 12; ++number) {
    stuck.push_back(connect_to(worker.port()));
    stuck.back().send(1 << 20, soon());
  }
  Stream neighbour = connect_to(worker.port());
  for (unsigned round = 0; round < 3; ++round) ping(neighbour, 32);
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, AStreamGoesThroughTheTiniestRing) {
  WorkerThread worker(tiny_ring());
  Stream one = connect_to(worker.port());
  Stream two = connect_to(worker.port());
  ping(one, 200'000);
  ping(two, 200'000);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::shed), 0U);
}

// --- draining and stopping ---

TEST(Worker, DrainingClosesTheQuietAndDeliversTheRest) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream quiet = connect_to(worker.port());
  ping(quiet);
  Stream slow = connect_stuck(worker.port());
  worker.drain();
  quiet.receive_to_end(soon());
  slow.receive_to_end(soon());
  EXPECT_TRUE(worker.join());
}

// While buffers are scarce its receive has not begun: the outbox is empty, and megabytes lie unread
// in the server's socket. Closing it then would be a reset.
TEST(Worker, ADrainWaitsForAReaderThatPausesWithUnreadData) {
  WorkerOptions options = tiny_ring();
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream pausing = connect_stuck(worker.port());
  Stream quiet = connect_to(worker.port());
  ping(quiet);
  worker.drain();
  quiet.receive_to_end(soon());  // who was at rest has gone, so the other one was looked at, too
  EXPECT_EQ(worker.stat(Stat::drain_resets), 0U);
  pausing.receive(pausing.sent() - pausing.received(), soon());
  pausing.finish_and_check(soon());
  EXPECT_TRUE(worker.join());
}

TEST(Worker, AtTheDeadlineADrainResetsWhatIsLeft) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 200;
  WorkerThread worker(options);
  Stream stuck = connect_stuck(worker.port());
  const Clock::time_point drained = Clock::now();
  EXPECT_TRUE(worker.finish());
  EXPECT_GE(Clock::now() - drained, 170ms) << "the tick that runs (25 ms) counts as one";
  stuck.send_some(1);
  EXPECT_TRUE(stuck.was_reset());
}

TEST(Worker, AProcessThatDidNotRunStillDrainsToTheEnd) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 200;
  std::atomic<bool> told_to_drain{false};
  WorkerThread worker(options, WorkerThread::all_features(), [&](WorkerThread::EchoWorker& loop) {
    while (!told_to_drain) loop.run_once();
    loop.run_once();  // a tick at the latest
    std::this_thread::sleep_for(1500ms);
    return loop.run();
  });
  Stream stuck = connect_stuck(worker.port());
  worker.drain();
  told_to_drain = true;
  EXPECT_TRUE(worker.join());
}

TEST(Worker, WhileDrainingNobodyIsAccepted) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream slow = connect_stuck(worker.port());
  Stream quiet = connect_to(worker.port());
  ping(quiet);
  worker.drain();
  quiet.receive_to_end(soon());  // now it drains
  EXPECT_THROW(connect_to(worker.port()), Failure) << "the port is free for another server";
  slow.receive_to_end(soon());
  EXPECT_TRUE(worker.join());
  EXPECT_EQ(worker.stat(Stat::accepted), 2U);
  EXPECT_EQ(worker.stat(Stat::accept_errors), 0U);
}

TEST(Worker, WhoWaitsInTheBacklogIsSentAwayByADrain) {
  WorkerOptions options = WorkerThread::small();
  options.connections_max = 1;
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream slow = connect_stuck(worker.port());
  Stream waiting = connect_to(worker.port());
  waiting.send(10, soon());
  worker.drain();
  EXPECT_NE(waiting.wait(POLLIN, soon()), 0);
  waiting.receive_some(1);
  EXPECT_TRUE(waiting.was_reset());
  slow.receive_to_end(soon());
  EXPECT_TRUE(worker.join());
}

TEST(Worker, TheEndOfTheControlSocketMeansDrain) {
  WorkerThread worker;
  Stream client = connect_to(worker.port());
  ping(client);
  worker.close_control();
  client.receive_to_end(soon());
  EXPECT_TRUE(worker.join());
}

TEST(Worker, StopWaitsForNothing) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream stuck = connect_stuck(worker.port());
  worker.stop();
  EXPECT_FALSE(worker.join()) << "operations are in flight: the memory may not be freed";
}

TEST(Worker, StopEndsADrainToo) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 60'000;
  WorkerThread worker(options);
  Stream stuck = connect_stuck(worker.port());
  Stream quiet = connect_to(worker.port());
  ping(quiet);
  worker.drain();
  quiet.receive_to_end(soon());
  worker.stop();
  EXPECT_FALSE(worker.join());
}

#ifndef LAB_TEST_PORTABLE  // what follows is of the ring

// --- zero copy ---

TEST(Worker, ZeroCopyAlwaysEchoesRightAndCounts) {
  WorkerOptions options = WorkerThread::small();
  options.zero_copy = ZeroCopyMode::always;
  options.zero_copy_threshold = 0;
  WorkerThread worker(options);
  expect_right_echoes(worker.port());
  Stream slow = connect_stuck(worker.port());
  slow.receive(slow.sent() - slow.received(), soon());
  EXPECT_TRUE(worker.finish());
  EXPECT_GT(worker.stat(Stat::zero_copy_copied) + worker.stat(Stat::zero_copy_sent), 0U);
}

TEST(Worker, ZeroCopyToAPeerThatTakesNothingEndsAtTheDeadline) {
  WorkerOptions options = WorkerThread::small();
  options.zero_copy = ZeroCopyMode::always;
  options.zero_copy_threshold = 0;
  options.drain_deadline_ms = 200;
  WorkerThread worker(options);
  Stream stuck = connect_stuck(worker.port());
  EXPECT_TRUE(worker.finish());
}

TEST(Worker, ZeroCopyIsJudgedByTheReports) {
  WorkerOptions options = WorkerThread::small();
  options.zero_copy = ZeroCopyMode::automatic;
  options.zero_copy_threshold = 4096;
  WorkerThread worker(options);
  if (!WorkerThread::all_features().has(Feature::zero_copy_report)) {
    GTEST_SKIP() << "this kernel does not report whether it copied (Linux 6.2)";
  }
  Stream client = connect_to(worker.port());
  // Loopback copies: after some tries sends are plain, but for one in 1024.
  for (unsigned round = 0; round < 500; ++round) ping(client, 4096);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::zero_copy_sent), 0U);
  EXPECT_GE(worker.stat(Stat::zero_copy_copied), 6U);
  EXPECT_LE(worker.stat(Stat::zero_copy_copied), 16U);
}

TEST(Worker, OnLoopbackZeroCopyDoesNotBeginOnItsOwn) {
  WorkerOptions options = WorkerThread::small();
  options.zero_copy_threshold = 4096;
  options.peers_on_loopback = true;
  WorkerThread worker(options);
  Stream client = connect_to(worker.port());
  ping(client, 1 << 20);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::zero_copy_copied) + worker.stat(Stat::zero_copy_sent), 0U);
}

// --- fallbacks ---

// On this kernel the file goes at once, whatever it is pretended to lack: what is tried here is
// that the shutdown in front of the close harms nothing. The fake kernel keeps the files.
TEST(Worker, AShutdownBeforeTheCloseIsAnEndLikeAnyOther) {
  Features features = WorkerThread::all_features();
  features.pretend(Feature::slot_release, EOPNOTSUPP);
  WorkerThread worker(WorkerThread::small(), features);
  EXPECT_FALSE(worker.report().slot_releases);
  Stream idle = connect_to(worker.port());
  ping(idle);
  for (unsigned round = 0; round < 5; ++round) {
    Stream client = connect_to(worker.port());
    client.send(200'000, soon());
    client.receive(200'000, soon());
    client.finish_and_check(soon());
  }
  for (unsigned round = 0; round < 20; ++round) {
    Stream client = connect_to(worker.port());
    client.send(10, soon());
    client.close_with_reset();
  }
  ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) == 25; }));
  ping(idle);
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::ring_errors), 0U) << "nothing to shut down is no error";
}

TEST(Worker, RenewingReceivesLosesNothing) {
  Features features = WorkerThread::all_features();
  features.pretend(Feature::slot_release, EOPNOTSUPP);
  WorkerOptions options = WorkerThread::small();
  options.receive_renewal_ms = 1;  // with every tick after a close
  WorkerThread worker(options, features);
  Stream idle = connect_to(worker.port());
  Stream busy = connect_to(worker.port());
  const Clock::time_point begin = Clock::now();
  while (Clock::now() - begin < 500ms) {
    Stream client = connect_to(worker.port());
    ping(busy, 100'000);
    client.finish_and_check(soon());
  }
  ping(idle);
  busy.finish_and_check(soon());
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::bytes_in), worker.stat(Stat::bytes_out));
  EXPECT_EQ(worker.stat(Stat::ring_errors), 0U);
}

struct Fallback {
  const char* name;
  std::vector<Feature> missing;
};

class WorkerWithout : public testing::TestWithParam<Fallback> {
 protected:
  static Features features() {
    Features features = WorkerThread::all_features();
    for (const Feature feature : GetParam().missing) features.pretend(feature, EOPNOTSUPP);
    return features;
  }
};

TEST_P(WorkerWithout, EchoesRight) {
  for (const ZeroCopyMode mode :
       {ZeroCopyMode::automatic, ZeroCopyMode::always, ZeroCopyMode::never}) {
    WorkerOptions options = WorkerThread::small();
    options.zero_copy = mode;
    options.zero_copy_threshold = 1024;
    WorkerThread worker(options, features());
    expect_right_echoes(worker.port());
    Stream slow = connect_stuck(worker.port(), 50ms);
    slow.receive(slow.sent() - slow.received(), soon());
    EXPECT_TRUE(worker.finish());
    EXPECT_EQ(worker.stat(Stat::shed), 0U);
  }
}

TEST_P(WorkerWithout, EchoesRightWithATinyRing) {
  WorkerThread worker(tiny_ring(), features());
  expect_right_echoes(worker.port());
  EXPECT_TRUE(worker.finish());
}

TEST_P(WorkerWithout, DrainsAPeerThatTakesNothing) {
  WorkerOptions options = WorkerThread::small();
  options.drain_deadline_ms = 200;
  WorkerThread worker(options, features());
  Stream stuck = connect_stuck(worker.port(), 50ms);
  EXPECT_TRUE(worker.finish());
}

INSTANTIATE_TEST_SUITE_P(Feature, WorkerWithout,
                         testing::Values(Fallback{"TimerMultishot", {Feature::timer_multishot}},
                                         Fallback{"SlotOptions", {Feature::slot_options}},
                                         Fallback{"RecvRetryLimit", {Feature::recv_retry_limit}},
                                         Fallback{"RecvTotal", {Feature::recv_total}},
                                         Fallback{"RecvBundle", {Feature::recv_bundle}},
                                         Fallback{"ZeroCopyReport", {Feature::zero_copy_report}},
                                         Fallback{"SendZeroCopy", {Feature::send_zero_copy}},
                                         Fallback{"SlotRelease", {Feature::slot_release}},
                                         Fallback{
                                             "AllOfThem",
                                             {Feature::timer_multishot, Feature::slot_options,
                                              Feature::recv_retry_limit, Feature::zero_copy_report,
                                              Feature::send_zero_copy, Feature::slot_release,
                                              Feature::recv_total, Feature::recv_bundle}}),
                         [](const auto& one) { return one.param.name; });

TEST(Worker, ReportsWhatItUses) {
  Features features = WorkerThread::all_features();
  WorkerThread with;
  EXPECT_EQ(with.report().connections_max, WorkerThread::small().connections_max);
  EXPECT_EQ(with.report().multishot_timer, features.has(Feature::timer_multishot));
  EXPECT_EQ(with.report().can_reset, features.has(Feature::slot_options));
  EXPECT_EQ(with.report().slot_releases, features.has(Feature::slot_release));
  EXPECT_EQ(with.report().multishot_is_fair, features.has(Feature::recv_retry_limit));
  EXPECT_NE(with.report().pages[0], '\0');
  for (const Feature feature :
       {Feature::timer_multishot, Feature::slot_options, Feature::recv_retry_limit}) {
    features.pretend(feature, ENOSYS);
  }
  WorkerThread without(WorkerThread::small(), features);
  EXPECT_FALSE(without.report().multishot_timer);
  EXPECT_FALSE(without.report().can_reset);
  EXPECT_FALSE(without.report().multishot_is_fair);
}

TEST(Worker, AKernelThreadCanSubmit) {
  WorkerOptions options = WorkerThread::small();
  options.sqpoll = true;
  WorkerThread worker(options);
  expect_right_echoes(worker.port());
  EXPECT_TRUE(worker.finish());
}

#endif

}  // namespace
}  // namespace lab
