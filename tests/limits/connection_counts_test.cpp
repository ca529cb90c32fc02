#include "06-server/lib/limits/connection_counts.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace lab {
namespace {

TEST(ConnectionCounts, AreThoseOfTheirModelHoweverTheHashesFall) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random(seed);
    const auto connections_max = static_cast<std::uint32_t>(1 + random() % 40);
    ConnectionCounts counts(connections_max);
    // Few places that hashes point to: what stands where does not say where it belongs.
    std::vector<ClientId> clients;
    for (unsigned number = 0; number < 30; ++number) {
      clients.push_back(ClientId{(random() << 8) | random() % 4});
    }
    std::map<ClientId, std::uint32_t> model;
    std::uint32_t all = 0;
    for (unsigned step = 0; step < 1000; ++step) {
      const ClientId client = clients[random() % clients.size()];
      if (all < connections_max && random() % 2 == 0) {
        counts.enter(client);
        ++model[client];
        ++all;
      } else if (model[client] > 0) {
        counts.leave(client);
        --model[client];
        --all;
      }
      for (const ClientId each : clients)
        ASSERT_EQ(counts.of(each), model[each]) << "seed " << seed;
    }
  }
}

TEST(ConnectionCounts, AClientWhoseHashIsZeroIsOne) {
  ConnectionCounts counts(4);
  EXPECT_EQ(counts.of(ClientId{0}), 0U);
  counts.enter(ClientId{0});
  EXPECT_EQ(counts.of(ClientId{0}), 1U);
  EXPECT_EQ(counts.of(ClientId{8}), 0U);
}

}  // namespace
}  // namespace lab
