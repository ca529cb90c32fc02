#include "06-server/lib/limits/rate_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/limits/siphash.hpp"

namespace lab {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

// A table of buckets, as it says it is: exact, however large.
class Model {
 public:
  Model(const RateTable& table, const RateLimit& limit) : table_(table), limit_(limit) {}

  bool admit(ClientId client, std::uint64_t now) { return limit_.admit(due(client, now), now); }
  std::uint64_t charge(ClientId client, std::uint64_t now) {
    std::uint64_t& time = due(client, now);
    time = limit_.count(time, now);
    return limit_.wait_ns(time, now);
  }
  std::uint64_t forgotten = 0;

 private:
  using Bucket = std::map<ClientId, std::uint64_t>;

  std::uint64_t& due(ClientId client, std::uint64_t now) {
    Bucket& bucket = buckets_[table_.bucket_of(client)];
    if (const auto found = bucket.find(client); found != bucket.end()) return found->second;
    if (bucket.size() == RateTable::entries_a_bucket) {
      const auto oldest =
          std::min_element(bucket.begin(), bucket.end(), [&](const auto& one, const auto& other) {
            return static_cast<std::int64_t>(one.second - other.second) < 0;
          });
      if (static_cast<std::int64_t>(oldest->second - now) > 0) ++forgotten;
      bucket.erase(oldest);
    }
    return bucket[client] = now;
  }

  const RateTable& table_;
  RateLimit limit_;
  std::map<std::uint32_t, Bucket> buckets_;
};

TEST(RateTable, DecidesAsItsModel) {
  std::uint64_t forgotten = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    const auto entries = static_cast<std::uint32_t>(1 + random() % 64);
    const RateLimit limit(static_cast<std::uint32_t>(1 + random() % 20),
                          static_cast<std::uint32_t>(1 + random() % 5));
    // Every second clock wraps on its way.
    std::uint64_t now = seed % 2 == 0 ? random() : 0 - random() % (100 * second);
    RateTable table(entries, limit, now);
    Model model(table, limit);
    std::vector<ClientId> clients(1 + random() % 100);
    for (ClientId& client : clients) client = static_cast<ClientId>(random());
    for (unsigned step = 0; step < 2000; ++step) {
      // Equal times do not matter to anybody, but they would to a comparison.
      now += 1 + random() % (second / 5);
      const ClientId client = clients[random() % clients.size()];
      if (random() % 8 == 0) {
        ASSERT_EQ(table.charge(client, now), model.charge(client, now)) << "seed " << seed;
      } else {
        ASSERT_EQ(table.admit(client, now), model.admit(client, now)) << "seed " << seed;
      }
      ASSERT_EQ(table.forgotten(), model.forgotten) << "seed " << seed << ", step " << step;
    }
    forgotten += table.forgotten();
  }
  EXPECT_GT(forgotten, 1000U) << "no table was too small";
}

TEST(RateTable, SomebodyWithTimeLeftIsForgottenLastAndCounted) {
  RateTable table(4, RateLimit(1, 10), 0);
  for (unsigned i = 0; i < 10; ++i) EXPECT_TRUE(table.admit(ClientId{1}, 0));
  EXPECT_FALSE(table.admit(ClientId{1}, 0));
  // Crowds that each ask once have older times than the one who asked ten times.
  for (unsigned client = 2; client < 1000; ++client) {
    EXPECT_TRUE(table.admit(static_cast<ClientId>(client), 0));
  }
  EXPECT_FALSE(table.admit(ClientId{1}, 0));
  EXPECT_EQ(table.forgotten(), 998U - 3U);
  // Whose time is past is no loss.
  EXPECT_TRUE(table.admit(ClientId{1000}, 20 * second));
  EXPECT_EQ(table.forgotten(), 998U - 3U);
}

TEST(RateTable, RoundsUpToWholeBuckets) {
  EXPECT_EQ(RateTable(1, RateLimit(1, 1), 0).buckets(), 1U);
  EXPECT_EQ(RateTable(4, RateLimit(1, 1), 0).buckets(), 1U);
  EXPECT_EQ(RateTable(5, RateLimit(1, 1), 0).buckets(), 2U);
}

// --- hash flooding ---

ClientId id_of(const SipKey& key, std::uint32_t number) {
  in_addr ipv4{};
  std::memcpy(&ipv4, &number, sizeof number);
  return static_cast<ClientId>(sip_hash(key, ClientAddress(ipv4).bytes()));
}

constexpr SipKey known{1, 2};
constexpr SipKey unknown{0x5a1cc8b1cbeaf1d3, 0x1f0e2d3c4b5a6978};
constexpr std::uint32_t flood_size = 200;

// Addresses that all fall into one bucket, for somebody who knows the key.
std::vector<std::uint32_t> aimed(const RateTable& table, std::uint32_t bucket) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t number = 0; found.size() < flood_size; ++number) {
    if (table.bucket_of(id_of(known, number)) == bucket) found.push_back(number);
  }
  return found;
}

TEST(RateTable, AFloodThatIsAimedStaysInItsBucket) {
  RateTable table(1024, RateLimit(1, 1), 0);
  std::vector<ClientId> others;
  for (std::uint32_t number = 1'000'000'000; others.size() < 64; ++number) {
    const ClientId client = id_of(known, number);
    if (table.bucket_of(client) == 7) continue;
    others.push_back(client);
    table.admit(client, 0);
  }
  const std::uint64_t before = table.forgotten();
  for (const std::uint32_t number : aimed(table, 7)) table.admit(id_of(known, number), 0);
  EXPECT_EQ(table.forgotten() - before, flood_size - RateTable::entries_a_bucket);
  unsigned limited = 0;
  for (const ClientId client : others) limited += table.admit(client, 0) ? 0 : 1;
  EXPECT_EQ(limited, others.size() - before);
}

TEST(RateTable, WithoutTheKeyNobodyCanAim) {
  RateTable table(1024, RateLimit(1, 1), 0);
  std::set<std::uint32_t> hit;
  for (const std::uint32_t number : aimed(table, 7)) {
    hit.insert(table.bucket_of(id_of(unknown, number)));
    table.admit(id_of(unknown, number), 0);
  }
  EXPECT_GT(hit.size(), 100U);
  EXPECT_LT(table.forgotten(), 10U);
}

}  // namespace
}  // namespace lab
