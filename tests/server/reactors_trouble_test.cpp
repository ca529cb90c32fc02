// Reactors whose messages fail, and reactors that do not come round.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/server/gate.hpp"
#include "tests/server/reactor_group.hpp"

namespace lab {
namespace {

// --- a message that fails ---

TEST(ReactorsInTrouble, WhoCouldNotBePassedIsPassedLater) {
  Gate gate;
  ReactorGroup<> group(2, ConnectionBalance::round_robin, WorkerThread::small(), &gate);
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 8; ++number) {
    clients.push_back(connect_to(group.port()));
    clients.back().send(1000, soon());
  }
  // Every second one is the other reactor's, which knows nothing of it.
  for (std::size_t number = 1; number < clients.size(); number += 2)
    clients[number].receive(1000, soon());
  // Four that failed, and each of them again and again.
  ASSERT_TRUE(eventually([&] { return group.acceptor_stat(Stat::accept_errors) >= 20; }));
  EXPECT_EQ(group.stat(0, Stat::accepted), 0U);
  gate.open();
  for (std::size_t number = 0; number < clients.size(); number += 2)
    clients[number].receive(1000, soon());
  for (Stream& client : clients) client.finish_and_check(soon());
  EXPECT_TRUE(group.finish());
  for (unsigned reactor = 0; reactor < 2; ++reactor) {
    EXPECT_EQ(group.stat(reactor, Stat::accepted), 4U) << reactor;
    EXPECT_EQ(group.stat(reactor, Stat::closed), 4U) << reactor;
  }
}

// The gate opens and shuts while clients come, more of them than the handover has places: those
// that failed are overtaken, and their places go home late.
TEST(ReactorsInTrouble, NoneOfManyIsLost) {
  Gate gate;
  ReactorGroup<> group(2, ConnectionBalance::round_robin, WorkerThread::small(), &gate);
  std::atomic<bool> done{false};
  std::thread keeper([&] {
    for (unsigned times = 0; times < 40 && !done; ++times) {
      const std::uint64_t errors = group.acceptor_stat(Stat::accept_errors);
      gate.shut();
      eventually([&] { return done || group.acceptor_stat(Stat::accept_errors) > errors; });
      const std::uint64_t accepted = group.stat(0, Stat::accepted);
      gate.open();
      eventually([&] { return done || group.stat(0, Stat::accepted) > accepted; });
    }
  });
  come_and_go(group, [](Stream& client, unsigned) { client.finish_and_check(soon()); });
  done = true;
  keeper.join();
  EXPECT_GT(group.acceptor_stat(Stat::accept_errors), 0U);
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::accepted), 2000U);
  EXPECT_EQ(group.total(Stat::closed), 2000U);
}

TEST(ReactorsInTrouble, ADrainClosesWhoCouldNotBePassed) {
  Gate gate;
  ReactorGroup<> group(1, ConnectionBalance::round_robin, WorkerThread::small(), &gate);
  Stream client = connect_to(group.port());
  ASSERT_TRUE(eventually([&] { return group.acceptor_stat(Stat::accept_errors) > 0; }));
  group.drain();
  client.receive_to_end(soon());
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.total(Stat::accepted), 0U);
}

// --- reactors that do not come round ---

// An acceptor whose reactors are two counters. Its time is its own ticks, and theirs as well, so it
// makes no difference how fast the machine is.
class AcceptorAlone {
 public:
  AcceptorAlone() { acceptor_.start(listener_.fd(), -1); }
  ~AcceptorAlone() {
    acceptor_.drain();
    for (std::size_t reactor = 0; reactor < 2; ++reactor)
      acceptor_.outlet(reactor).handover().ended = true;
    EXPECT_TRUE(acceptor_.run());
  }
  AcceptorAlone(const AcceptorAlone&) = delete;
  AcceptorAlone& operator=(const AcceptorAlone&) = delete;

  /// @return how often its own heart beats in so many turns, while those of the reactors do or not
  std::uint64_t beats(unsigned turns, bool first, bool second) {
    const std::uint64_t before = own_.heartbeat.get();
    for (unsigned turn = 0; turn < turns; ++turn) {
      if (first) reactors_[0].heartbeat.add(1);
      if (second) reactors_[1].heartbeat.add(1);
      acceptor_.run_once();
    }
    return own_.heartbeat.get() - before;
  }

 private:
  WorkerStats own_;
  std::array<WorkerStats, 2> reactors_;
  const Listener listener_{ListenerOptions{.socket_options = SocketOptions::plain}};
  ReactorAcceptor acceptor_{
      {}, own_, std::array<const WorkerStats*, 2>{&reactors_[0], &reactors_[1]}};
};

// A turn may be none of its timer's, so there are a few more turns than ticks are needed.
TEST(ReactorsInTrouble, TheirProcessLivesAsLongAsOneOfThemComesRound) {
  constexpr unsigned four_seconds = 160;  // in ticks; the supervisor waits for the fifth
  AcceptorAlone acceptor;
  EXPECT_GE(acceptor.beats(four_seconds + 20, true, false), four_seconds)
      << "the second one is silent, and the first one is not";
  EXPECT_GE(acceptor.beats(four_seconds - 20, false, false), four_seconds - 40)
      << "for less than four seconds nobody comes round";
  acceptor.beats(60, false, false);
  EXPECT_EQ(acceptor.beats(10, false, false), 0U) << "now it is for longer";
  EXPECT_GE(acceptor.beats(10, false, true), 5U) << "the second one comes round again";
}

}  // namespace
}  // namespace lab
