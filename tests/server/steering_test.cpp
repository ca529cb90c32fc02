#include "06-server/lib/process/steering.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "03-network/lib/listener.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

// Listeners of one SO_REUSEPORT group; they are never accepted from but by the test.
class SteerByCpu : public testing::Test {
 protected:
  void SetUp() override {
    cpus_ = allowed_cpus();
    if (cpus_.size() < 2) GTEST_SKIP() << "steering by CPU shows only with two CPUs";
  }

  void open(unsigned count) {
    ListenerOptions options{.reuse_port = true, .socket_options = SocketOptions::plain};
    for (unsigned index = 0; index < count; ++index) {
      listeners_.emplace_back(Listener(options));
      options.port = listeners_.back()->port();
    }
    port_ = options.port;
  }

  // Connects from a CPU; which listener has the connection now?
  unsigned lands_at(int cpu) {
    const OnCpu here(cpu);
    const Stream client = connect_to(port_);
    std::vector<pollfd> entries;
    for (const auto& listener : listeners_) {
      entries.push_back({.fd = listener ? listener->fd() : -1, .events = POLLIN, .revents = 0});
    }
    EXPECT_EQ(poll(entries.data(), entries.size(), soon().left_ms()), 1);
    for (unsigned index = 0; index < entries.size(); ++index) {
      if (entries[index].revents == 0) continue;
      const Fd taken(accept4(entries[index].fd, nullptr, nullptr, SOCK_CLOEXEC));
      return index;
    }
    return ~0U;
  }

  // All of some connections land there: by chance, that is one in a million.
  void expect_all_land_at(int cpu, unsigned listener) {
    for (unsigned round = 0; round < 20; ++round) {
      ASSERT_EQ(lands_at(cpu), listener) << "from CPU " << cpu << ", round " << round;
    }
  }

  std::vector<int> cpus_;
  std::vector<std::optional<Listener>> listeners_;
  std::uint16_t port_ = 0;
};

TEST_F(SteerByCpu, AConnectionLandsAtTheListenerOfItsCpu) {
  open(2);
  const CpuTarget targets[] = {{cpus_[0], 0}, {cpus_[1], 1}};
  steer_by_cpu(listeners_[0]->fd(), targets, 0);
  expect_all_land_at(cpus_[0], 0);
  expect_all_land_at(cpus_[1], 1);
}

TEST_F(SteerByCpu, CanBeAttachedAgainThroughAnyOfTheGroup) {
  open(2);
  const CpuTarget straight[] = {{cpus_[0], 0}, {cpus_[1], 1}};
  const CpuTarget crossed[] = {{cpus_[0], 1}, {cpus_[1], 0}};
  steer_by_cpu(listeners_[0]->fd(), straight, 0);
  steer_by_cpu(listeners_[1]->fd(), crossed, 0);
  expect_all_land_at(cpus_[0], 1);
  expect_all_land_at(cpus_[1], 0);
}

TEST_F(SteerByCpu, FromAnyOtherCpuToTheDefault) {
  open(3);
  const CpuTarget targets[] = {{cpus_[0], 1}};
  steer_by_cpu(listeners_[0]->fd(), targets, 2);
  expect_all_land_at(cpus_[0], 1);
  expect_all_land_at(cpus_[1], 2);
  steer_by_cpu(listeners_[0]->fd(), {}, 1);
  expect_all_land_at(cpus_[0], 1);
  expect_all_land_at(cpus_[1], 1);
}

TEST_F(SteerByCpu, TheLastListenerTakesThePlaceOfTheOneThatIsClosed) {
  open(4);
  listeners_[0].reset();  // now 3, 1, 2
  const CpuTarget targets[] = {{cpus_[0], 0}, {cpus_[1], 1}};
  steer_by_cpu(listeners_[1]->fd(), targets, 2);
  expect_all_land_at(cpus_[0], 3);
  expect_all_land_at(cpus_[1], 1);
  steer_by_cpu(listeners_[1]->fd(), {}, 2);
  expect_all_land_at(cpus_[0], 2);
}

TEST_F(SteerByCpu, AnIndexOutOfRangeFallsBackToTheHash) {
  open(2);
  steer_by_cpu(listeners_[0]->fd(), {}, 7);
  unsigned at_first = 0;
  for (unsigned round = 0; round < 64; ++round) at_first += lands_at(cpus_[0]) == 0 ? 1U : 0U;
  EXPECT_GT(at_first, 0U);
  EXPECT_LT(at_first, 64U);
}

TEST(SteeringErrors, NoSocketIsAnError) {
  EXPECT_THROW(steer_by_cpu(-1, {}, 0), std::system_error);
}

}  // namespace
}  // namespace lab
