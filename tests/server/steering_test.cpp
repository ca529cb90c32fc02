#include "06-server/lib/process/steering.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "03-network/lib/listener.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "tests/server/sources.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

// Listeners of one SO_REUSEPORT group; they are never accepted from but by the test.
class Steer : public testing::Test {
 protected:
  void open(unsigned count, const std::string& address = "127.0.0.1") {
    ListenerOptions options{
        .address = address, .reuse_port = true, .socket_options = SocketOptions::plain};
    for (unsigned index = 0; index < count; ++index) {
      listeners_.emplace_back(Listener(options));
      options.port = listeners_.back()->port();
    }
    port_ = options.port;
  }

  // Which listener has the connection that was just made?
  unsigned landed_at() {
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

  std::vector<std::optional<Listener>> listeners_;
  std::uint16_t port_ = 0;
};

class SteerByCpu : public Steer {
 protected:
  void SetUp() override {
    cpus_ = allowed_cpus();
    if (cpus_.size() < 2) GTEST_SKIP() << "steering by CPU shows only with two CPUs";
  }

  // Connects from a CPU.
  unsigned lands_at(int cpu) {
    const OnCpu here(cpu);
    const Stream client = connect_to(port_);
    return landed_at();
  }

  // All of some connections land there: by chance, that is one in a million.
  void expect_all_land_at(int cpu, unsigned listener) {
    for (unsigned round = 0; round < 20; ++round) {
      ASSERT_EQ(lands_at(cpu), listener) << "from CPU " << cpu << ", round " << round;
    }
  }

  std::vector<int> cpus_;
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

class SteerBySource : public Steer {
 protected:
  unsigned lands_at(const std::string& from) {
    const Fd client = connect_from(from, port_);
    return landed_at();
  }
  static std::vector<std::uint32_t> words_of(const std::string& address) {
    std::uint32_t words[4] = {};
    const bool is_ipv4 = inet_pton(AF_INET, address.c_str(), words) == 1;
    EXPECT_TRUE(is_ipv4 || inet_pton(AF_INET6, address.c_str(), words) == 1) << address;
    for (std::uint32_t& word : words) word = ntohl(word);
    return {words, words + (is_ipv4 ? 1 : 4)};
  }
};

TEST_F(SteerBySource, AllConnectionsOfAnAddressLandWhereItsShareIs) {
  open(3);
  const unsigned places[] = {2, 0, 1};
  const SourceShares shares{.group_indices = places, .key = 0x9e3779b1};
  steer_by_source(listeners_[0]->fd(), shares);
  unsigned at[3] = {};
  for (unsigned number = 0; number < 250; ++number) {
    const std::string from = source(number);
    const unsigned wanted = places[source_share(words_of(from), shares)];
    for (unsigned time = 0; time < 3; ++time) ASSERT_EQ(lands_at(from), wanted) << from;
    ++at[wanted];
  }
  // A fair hash gives each 83; fewer than 40 of 250 come once in 10^9 keys, and this key is fixed.
  for (const unsigned count : at) EXPECT_GE(count, 40U);
}

TEST_F(SteerBySource, OnAListenerOfBothFamilies) {
  open(2, "::");
  const unsigned places[] = {1, 0};
  bool differs = false;
  for (std::uint32_t key = 1; key < 40; key += 2) {
    const SourceShares shares{.group_indices = places, .key = key};
    steer_by_source(listeners_[0]->fd(), shares);
    ASSERT_EQ(lands_at("::1"), places[source_share(words_of("::1"), shares)]) << "key " << key;
    ASSERT_EQ(lands_at(source(9)), places[source_share(words_of(source(9)), shares)]);
    differs = differs || source_share(words_of("::1"), shares) !=
                             source_share(words_of("::1"), {.group_indices = places, .key = 1});
  }
  // Of the first 64 bits of ::1 all are 0, whatever they are multiplied with.
  EXPECT_FALSE(differs);
  for (std::uint32_t key = 1; key < 40; key += 2) {
    const SourceShares shares{.group_indices = places, .prefix_bits = 128, .key = key};
    steer_by_source(listeners_[0]->fd(), shares);
    ASSERT_EQ(lands_at("::1"), places[source_share(words_of("::1"), shares)]) << "key " << key;
  }
}

TEST_F(SteerBySource, OfAnIpv6AddressThePrefixCounts) {
  const unsigned places[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto share = [&](const std::string& address, unsigned prefix_bits) {
    return source_share(words_of(address),
                        {.group_indices = places, .prefix_bits = prefix_bits, .key = 0x9e3779b1});
  };
  EXPECT_EQ(share("2001:db8:0:1::1", 64), share("2001:db8:0:1:ffff:ffff:ffff:ffff", 64));
  EXPECT_EQ(share("2001:db8:0:1::1", 56), share("2001:db8:0:ff::1", 56));
  unsigned others = 0;
  for (unsigned number = 0; number < 100; ++number) {
    const std::string address = "2001:db8:0:" + std::to_string(number) + "::1";
    others += share(address, 64) != share("2001:db8:0:1::1", 64) ? 1U : 0U;
  }
  EXPECT_GT(others, 50U);
}

TEST(SteeringErrors, NoSocketIsAnError) {
  EXPECT_THROW(steer_by_cpu(-1, {}, 0), std::system_error);
}

}  // namespace
}  // namespace lab
