// Reactors in threads, and the acceptor that gives them their clients.

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

#include "06-server/lib/limits/limit_counters.hpp"
#include "tests/server/reactor_group.hpp"
#include "tests/server/sources.hpp"

namespace lab {
namespace {

bool waits_in_vain(Stream& client, Clock::duration time) {
  return client.wait(POLLIN, Deadline(time)) == 0;
}

WorkerOptions with_places(unsigned connections) {
  WorkerOptions options = WorkerThread::small();
  options.connections_max = connections;
  return options;
}

TEST(Reactors, EachGetsAsManyClientsInTurn) {
  ReactorGroup<> group(3);
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 12; ++number) {
    clients.push_back(connect_to(group.port()));
    ping(clients.back(), 100'000);
  }
  for (Stream& client : clients) client.finish_and_check(soon());
  EXPECT_TRUE(group.finish());
  for (unsigned reactor = 0; reactor < 3; ++reactor) {
    EXPECT_EQ(group.stat(reactor, Stat::accepted), 4U) << reactor;
    EXPECT_EQ(group.stat(reactor, Stat::closed), 4U) << reactor;
  }
  EXPECT_EQ(group.acceptor_stat(Stat::accepted), 0U) << "who serves them counts them";
  EXPECT_GT(group.acceptor_stat(Stat::enters), 0U);
  EXPECT_EQ(group.total(Stat::accept_errors), 0U);
  EXPECT_EQ(group.total(Stat::ring_errors), 0U);
}

TEST(Reactors, TheFewestConnectionsGetTheNext) {
  ReactorGroup<> group(2, ConnectionBalance::fewest);
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 6; ++number) {
    clients.push_back(connect_to(group.port()));
    ping(clients.back());
  }
  ASSERT_EQ(group.stat(0, Stat::accepted), 3U);
  // All of one of them leave.
  for (std::size_t number = 0; number < clients.size(); number += 2)
    clients[number].finish_and_check(soon());
  const auto left = [&](unsigned reactor) {
    return group.stat(reactor, Stat::accepted) - group.stat(reactor, Stat::closed);
  };
  ASSERT_TRUE(eventually([&] { return left(0) + left(1) == 3; }));
  const unsigned empty = left(0) == 0 ? 0 : 1;
  ASSERT_EQ(left(empty), 0U);
  for (unsigned number = 0; number < 3; ++number) {
    clients.push_back(connect_to(group.port()));
    ping(clients.back());
  }
  EXPECT_EQ(left(0), 3U);
  EXPECT_EQ(left(1), 3U);
}

// More than the places of a handover, so that they come home several times.
TEST(Reactors, ManyComeAndGo) {
  ReactorGroup<> group(2, ConnectionBalance::round_robin, with_places(40));
  come_and_go(group, [](Stream& client, unsigned number) {
    if (number % 2 == 0) client.close_with_reset();
  });
  Stream last = connect_to(group.port());
  ping(last);
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::accepted), 2001U);
  EXPECT_EQ(group.total(Stat::closed), 2001U);
  EXPECT_EQ(group.total(Stat::accept_errors), 0U);
}

TEST(Reactors, WhoIsFullIsGivenNothing) {
  ReactorGroup<> group(2, ConnectionBalance::round_robin, with_places(4));
  std::vector<Stream> inside;
  for (unsigned number = 0; number < 8; ++number) {
    inside.push_back(connect_to(group.port()));
    ping(inside.back());
  }
  std::vector<Stream> waiting;
  for (unsigned number = 0; number < 6; ++number) {
    waiting.push_back(connect_to(group.port()));
    waiting.back().send(100, soon());
  }
  EXPECT_TRUE(waits_in_vain(waiting.front(), 100ms));
  EXPECT_EQ(group.total(Stat::accepted), 8U);
  for (Stream& client : inside) ping(client);

  // Both places that become free are of one reactor: who waits goes there.
  inside[0].finish_and_check(soon());
  inside[2].finish_and_check(soon());
  waiting[0].receive(100, soon());
  waiting[1].receive(100, soon());
  EXPECT_EQ(group.stat(0, Stat::accepted), 6U);
  EXPECT_EQ(group.stat(1, Stat::accepted), 4U);
  for (unsigned number = 1; number < 8; ++number) {
    if (number != 2) inside[number].finish_and_check(soon());
  }
  for (unsigned number = 2; number < 6; ++number) waiting[number].receive(100, soon());
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::accept_errors), 0U);
}

TEST(Reactors, NoClientIsLostInACrowdThatTheyHaveNoPlacesFor) {
  ReactorGroup<> group(2, ConnectionBalance::fewest, with_places(8));
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 200; ++number) {
    clients.push_back(connect_to(group.port()));
    clients.back().send(1000, soon());
  }
  // They are served in the order in which they came, 16 at a time.
  for (Stream& client : clients) {
    client.receive(1000, soon());
    client.finish_and_check(soon());
  }
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::accepted), 200U);
  EXPECT_EQ(group.total(Stat::accept_errors), 0U);
}

// --- one that stalls ---

std::atomic<bool> held{false};
std::counting_semaphore<> let_go{0};

// An echo; the first bytes that come while it is armed stop its thread until it is let go.
struct Staller : ProtocolDefaults {
  static inline std::atomic<bool> armed{false};
  explicit Staller(Shared&) noexcept {}
  void on_bytes(auto& io, Segment bytes) noexcept {
    if (armed.exchange(false)) {
      held = true;
      let_go.acquire();
      held = false;
    }
    io.send(std::move(bytes));
  }
};

// Serves until so many clients in a row were answered at once; those that were not stay.
bool serves_all(std::uint16_t port, unsigned in_a_row, std::vector<Stream>& stuck) {
  unsigned served = 0;
  return eventually([&] {
    Stream client = connect_to(port);
    client.send(64, soon());
    if (client.wait(POLLIN, Deadline(50ms)) == 0) {
      stuck.push_back(std::move(client));
      served = 0;
      return false;
    }
    client.receive(64, soon());
    return ++served == in_a_row;
  });
}

TEST(Reactors, OneThatStallsDoesNotStopTheOthers) {
  ReactorGroup<Staller> group(2);
  Stream first = connect_to(group.port());
  Stream second = connect_to(group.port());
  ping(first);
  ping(second);
  Staller::armed = true;
  first.send(64, soon());
  ASSERT_TRUE(eventually([] { return held.load(); }));

  ping(second, 100'000);
  std::vector<Stream> stuck;
  EXPECT_TRUE(serves_all(group.port(), 20, stuck))
      << stuck.size() << " wait for the one that sleeps";
  EXPECT_TRUE(held);
  const std::uint64_t heartbeat = group.acceptor_heartbeat();
  EXPECT_TRUE(eventually([&] { return group.acceptor_heartbeat() > heartbeat + 2; }))
      << "the process lives";
  let_go.release();
  first.receive(64, soon());
  for (Stream& client : stuck) client.receive(64, soon());
  // It is awake, and in turn again.
  const std::uint64_t before = group.stat(0, Stat::accepted);
  ASSERT_TRUE(eventually([&] {
    Stream client = connect_to(group.port());
    ping(client);
    return group.stat(0, Stat::accepted) > before + 1;
  }));
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::closed), group.total(Stat::accepted));
}

TEST(Reactors, OneThatStallsDoesNotKeepTheOthersFromDraining) {
  ReactorGroup<Staller> group(2);
  Stream first = connect_to(group.port());
  Stream second = connect_to(group.port());
  ping(first);
  ping(second);
  Staller::armed = true;
  first.send(64, soon());
  ASSERT_TRUE(eventually([] { return held.load(); }));
  group.drain();
  second.receive_to_end(soon());
  EXPECT_TRUE(held);
  let_go.release();
  first.receive(64, soon());
  first.receive_to_end(soon());
  EXPECT_TRUE(group.join());
}

// --- as the workers of the other topology ---

TEST(Reactors, ADrainServesWhatIsOpenAndRefusesWhatComes) {
  ReactorGroup<> group(2);
  Stream open = connect_to(group.port());
  ping(open);
  open.send(200'000, soon());
  group.drain();
  open.receive(200'000, soon());
  open.receive_to_end(soon());
  EXPECT_THROW(
      {
        Stream late = connect_to(group.port());
        ping(late);
      },
      Failure);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.total(Stat::drain_resets), 0U);
}

TEST(Reactors, StopEndsThemWithWhatIsOpen) {
  ReactorGroup<> stopped(2);
  Stream client = connect_to(stopped.port());
  ping(client);
  stopped.command(command_stop);
  stopped.join();
  EXPECT_EQ(stopped.total(Stat::accepted), 1U);
}

TEST(Reactors, AddressesTravelWithTheConnections) {
  WorkerOptions options = WorkerThread::small();
  options.limits.connections_max = 1;
  ReactorGroup<> group(2, ConnectionBalance::round_robin, options);
  // One for each address and reactor: a reactor counts its own clients.
  std::vector<Fd> open;
  for (unsigned number = 0; number < 20; ++number) {
    for (unsigned reactor = 0; reactor < 2; ++reactor) {
      open.push_back(connect_from(source(number), group.port()));
      EXPECT_TRUE(echoes(open.back())) << source(number);
    }
  }
  for (unsigned number = 0; number < 20; ++number)
    EXPECT_FALSE(echoes(connect_from(source(number), group.port()))) << source(number);
  open.clear();
  EXPECT_TRUE(group.finish());
  EXPECT_EQ(group.total(Stat::accepted), 60U);
}

}  // namespace
}  // namespace lab
