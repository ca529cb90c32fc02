// A worker's lists of connections, with clients that are nothing else.
#include "06-server/lib/engine/connections.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

namespace lab {
namespace {

struct Client {
  explicit Client(std::uint32_t tick) noexcept : moved(tick) {}
  bool stuck() const noexcept { return sends; }
  std::uint32_t stuck_since() const noexcept { return moved; }

  std::uint32_t moved;
  bool sends = false;
  bool ready = false;
  Client* ready_next = nullptr;
  ListLink<Client> age_link;
  ListLink<Client> receiving_link;
};

TEST(Connections, ReadyOnceInTheOrderOfTheirMarks) {
  Connections<Client> clients(3);
  Client* first = clients.create(0U);
  Client* second = clients.create(0U);
  clients.mark_ready(*second);
  clients.mark_ready(*first);
  clients.mark_ready(*second);
  EXPECT_EQ(clients.pop_ready(), second);
  clients.mark_ready(*second);
  EXPECT_EQ(clients.pop_ready(), first);
  EXPECT_EQ(clients.pop_ready(), second);
  EXPECT_EQ(clients.pop_ready(), nullptr);
  clients.release(*first);
  clients.release(*second);
}

TEST(Connections, KnowsWhoWaits) {
  Connections<Client> clients(2);
  Client* first = clients.create(0U);
  Client* second = clients.create(0U);
  EXPECT_FALSE(clients.is_waiting(*first));
  clients.wait(*first);
  clients.wait(*second);
  EXPECT_TRUE(clients.is_waiting(*first));
  EXPECT_TRUE(clients.is_waiting(*second));
  clients.leave_waiting(*first);
  EXPECT_FALSE(clients.is_waiting(*first));
  EXPECT_EQ(clients.first_waiting(), second);
  clients.leave_waiting(*second);
  EXPECT_FALSE(clients.anybody_waits());
  clients.release(*first);
  clients.release(*second);
}

TEST(Connections, FindsThoseThatStandStillLongestInOnePass) {
  constexpr unsigned many = 20'000;
  Connections<Client> clients(many);
  std::vector<Client*> all;
  for (unsigned number = 0; number < many; ++number) {
    all.push_back(clients.create(1000U));
    if (number % 100 == 0) {
      all.back()->sends = true;
      all.back()->moved = 500 - (number / 100 * 37) % 200;  // 301 … 500, in no order
    }
  }
  std::array<Client*, 64> found;
  const auto begin = std::chrono::steady_clock::now();
  const auto longest = clients.longest_stuck(510, 10, found);
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
  // No verdict: for the eye of who changes it.
  RecordProperty("microseconds", static_cast<int>(time.count()));
  std::printf("20,000 connections, 200 of them stuck: the 64 longest found in %.0f us\n",
              time.count());
  ASSERT_EQ(longest.size(), 64U);
  for (unsigned place = 0; place < 64; ++place) EXPECT_EQ(longest[place]->moved, 301 + place);
  EXPECT_TRUE(clients.longest_stuck(510, 300, found).empty());
  for (Client* client : all) clients.release(*client);
}

}  // namespace
}  // namespace lab
