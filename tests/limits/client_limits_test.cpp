// Who is let in, without a server: addresses and times are the test's.

#include "06-server/lib/engine/client_limits.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace lab {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 77 * second;

ClientAddress address(const std::string& text) {
  in_addr ipv4{};
  in6_addr ipv6{};
  if (inet_pton(AF_INET, text.c_str(), &ipv4) == 1) return ClientAddress(ipv4);
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &ipv6), 1) << text;
  return ClientAddress(ipv6);
}

NetworkPrefix network(const std::string& text) {
  NetworkPrefix result;
  EXPECT_EQ(parse_network(text, result), "");
  return result;
}

// A worker with 64 slots, which hands them out in turn.
class Limits {
 public:
  explicit Limits(const LimitOptions& options) : limits(options, 64, start, {}) {}

  std::optional<Refused> come(const std::string& from, std::uint64_t now = start) {
    slot = FileSlot{next_++ % 64};
    return limits.judge(slot, address(from), now);
  }
  bool comes(const std::string& from, std::uint64_t now = start) { return !come(from, now); }
  std::uint64_t refused(Refused why) { return limits.counters().refused(why).get(); }

  ClientLimits limits;
  FileSlot slot{};  ///< of the latest one that came

 private:
  std::uint32_t next_ = 0;
};

TEST(ClientLimits, EachOf250AddressesHasItsBurstAndThenItsRate) {
  Limits limits({.rate = 10, .burst = 3});
  for (unsigned number = 1; number <= 250; ++number) {
    const std::string from = "127.0.1." + std::to_string(number);
    for (unsigned time = 0; time < 3; ++time) EXPECT_TRUE(limits.comes(from)) << from;
    EXPECT_EQ(limits.come(from), Refused::rate) << from;
    EXPECT_TRUE(limits.comes(from, start + second / 10)) << from;
    EXPECT_FALSE(limits.comes(from, start + second / 10)) << from;
  }
  EXPECT_EQ(limits.limits.counters().connections().get(), 250U * 4);
  EXPECT_EQ(limits.refused(Refused::rate), 250U * 2);
}

TEST(ClientLimits, AnIpv6NetworkIsOneClientAndAMappedAddressIsIpv4) {
  Limits limits({.rate = 1, .burst = 2});
  EXPECT_TRUE(limits.comes("2001:db8:0:1::1"));
  EXPECT_TRUE(limits.comes("2001:db8:0:1:ffff::2"));
  EXPECT_FALSE(limits.comes("2001:db8:0:1:1234:5678:9abc:def0"));
  EXPECT_TRUE(limits.comes("2001:db8:0:2::1"));
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  EXPECT_TRUE(limits.comes("::ffff:192.0.2.1"));
  EXPECT_FALSE(limits.comes("192.0.2.1"));
  EXPECT_TRUE(limits.comes("::ffff:192.0.2.2")) << "the whole of IPv4 would be one /64";
}

TEST(ClientLimits, ThePrefixMayBeAnother) {
  Limits limits({.rate = 1, .burst = 1, .prefix_bits = 48});
  EXPECT_TRUE(limits.comes("2001:db8:0:1::1"));
  EXPECT_FALSE(limits.comes("2001:db8:0:2::1"));
  EXPECT_TRUE(limits.comes("2001:db8:1:1::1"));
}

TEST(ClientLimits, WhoLeavesMakesRoom) {
  Limits limits({.connections_max = 2});
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  const FileSlot first = limits.slot;
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  EXPECT_EQ(limits.come("192.0.2.1"), Refused::connections);
  limits.limits.leave(limits.slot);  // who was refused leaves nothing behind
  EXPECT_FALSE(limits.comes("192.0.2.1"));
  EXPECT_TRUE(limits.comes("192.0.2.2"));
  limits.limits.leave(first);
  limits.limits.leave(first);  // once
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  EXPECT_FALSE(limits.comes("192.0.2.1"));
}

TEST(ClientLimits, DeniedIsSaidBeforeAnythingIsCounted) {
  Limits limits({.rate = 1, .burst = 1, .denied = {network("192.0.2.0/24")}});
  for (unsigned time = 0; time < 5; ++time) EXPECT_EQ(limits.come("192.0.2.9"), Refused::denied);
  EXPECT_TRUE(limits.comes("198.51.100.1"));
  EXPECT_EQ(limits.refused(Refused::denied), 5U);
}

TEST(ClientLimits, AListOfFriendsLeavesOutEverybodyElse) {
  Limits limits({.allowed = {network("192.0.2.0/24"), network("2001:db8::/32")},
                 .denied = {network("192.0.2.128/25")}});
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  EXPECT_TRUE(limits.comes("2001:db8:7::1"));
  EXPECT_EQ(limits.come("192.0.2.129"), Refused::denied);
  EXPECT_EQ(limits.come("198.51.100.1"), Refused::denied);
}

TEST(ClientLimits, AllTogetherHaveACeilingWhichTheRefusedTakeNothingFrom) {
  Limits limits({.rate = 1, .burst = 1, .rate_total = 30});  // three at once
  EXPECT_TRUE(limits.comes("192.0.2.1"));
  for (unsigned time = 0; time < 100; ++time) EXPECT_EQ(limits.come("192.0.2.1"), Refused::rate);
  EXPECT_TRUE(limits.comes("192.0.2.2"));
  EXPECT_TRUE(limits.comes("192.0.2.3"));
  EXPECT_EQ(limits.come("192.0.2.4"), Refused::total);
  EXPECT_TRUE(limits.comes("192.0.2.4", start + second / 30 + 1)) << "it was not counted";
}

TEST(ClientLimits, AWorkerThatIsBehindLetsNobodyInUntilATickComesInTime) {
  constexpr std::uint64_t late = second / 10;  // four ticks
  Limits limits({.rate = 1, .burst = 1, .delay_max_ms = 20, .denied = {network("192.0.2.0/24")}});
  limits.limits.tick(start + late);
  EXPECT_TRUE(limits.comes("198.51.100.1", start + late)) << "once is a hiccup";
  limits.limits.tick(start + 2 * late);
  EXPECT_EQ(limits.come("198.51.100.2", start + 2 * late), Refused::delay);
  EXPECT_EQ(limits.come("192.0.2.1", start + 2 * late), Refused::denied) << "whatever the delay is";
  EXPECT_EQ(limits.refused(Refused::delay), 1U);
  limits.limits.tick(start + 2 * late + second / 40);
  EXPECT_TRUE(limits.comes("198.51.100.2", start + 3 * late)) << "who was refused was not counted";
}

TEST(ClientLimits, AClientForgottenTooEarlyIsCounted) {
  Limits limits({.rate = 1, .burst = 1, .entries = 4});
  for (unsigned number = 1; number <= 60; ++number) {
    limits.comes("192.0.2." + std::to_string(number));
  }
  limits.limits.tick(start);
  EXPECT_EQ(limits.limits.counters().forgotten().get(), 56U);
}

TEST(ClientLimits, TwoWorkersHashWithDifferentKeys) {
  // One bucket of four for each: who is forgotten there is not, as a rule, here.
  const LimitOptions options{.rate = 1, .burst = 1, .entries = 64};
  Limits one(options);
  Limits other(options);
  std::set<std::string> again_one;
  std::set<std::string> again_other;
  for (unsigned round = 0; round < 2; ++round) {
    for (unsigned number = 1; number <= 120; ++number) {
      const std::string from = "192.0.2." + std::to_string(number);
      if (one.comes(from) && round == 1) again_one.insert(from);
      if (other.comes(from) && round == 1) again_other.insert(from);
    }
  }
  EXPECT_FALSE(again_one.empty());
  EXPECT_NE(again_one, again_other);
}

TEST(ClientLimits, AConnectionAndItsFirstRequestAreOne) {
  Limits limits({.rate = 1, .burst = 3});
  ASSERT_TRUE(limits.comes("192.0.2.1"));
  const FileSlot slot = limits.slot;
  for (unsigned request = 0; request < 3; ++request) {
    EXPECT_TRUE(limits.limits.admit_request(slot, start)) << request;
  }
  EXPECT_FALSE(limits.limits.admit_request(slot, start));
  EXPECT_FALSE(limits.comes("192.0.2.1")) << "requests and connections are of one budget";
  EXPECT_TRUE(limits.limits.admit_request(slot, start + second));
  EXPECT_EQ(limits.limits.counters().requests().get(), 3U);
  EXPECT_EQ(limits.limits.counters().requests_refused().get(), 1U);
}

TEST(ClientLimits, WhoIsPacedIsWokenWhenTheNextOneConforms) {
  Limits limits({.rate = 10, .burst = 2});
  ASSERT_TRUE(limits.comes("192.0.2.1"));
  const FileSlot slot = limits.slot;
  unsigned woken = 0;
  const Waker waker(&woken, [](void* count) noexcept { ++*static_cast<unsigned*>(count); });
  limits.limits.pace(slot, start, waker);  // its connection's
  EXPECT_FALSE(limits.limits.paced(slot));
  limits.limits.pace(slot, start, waker);  // a third one would not conform
  EXPECT_TRUE(limits.limits.paced(slot));
  limits.limits.pace(slot, start, waker);  // but it was on its way
  limits.limits.tick(start + 2 * second / 10 - 1);
  EXPECT_TRUE(limits.limits.paced(slot)) << "one more than the burst: it is paid for first";
  limits.limits.tick(start + 2 * second / 10);
  EXPECT_FALSE(limits.limits.paced(slot));
  EXPECT_EQ(woken, 1U);
  EXPECT_EQ(limits.limits.counters().paused().get(), 1U);
  // Whoever leaves meanwhile is not woken: there is nobody.
  for (unsigned request = 0; request < 4; ++request) limits.limits.pace(slot, start, waker);
  EXPECT_TRUE(limits.limits.paced(slot));
  limits.limits.leave(slot);
  limits.limits.tick(start + 100 * second);
  EXPECT_EQ(woken, 1U);
}

TEST(ClientLimits, CountsInMemoryThatOthersRead) {
  std::array<Counter, LimitCounters::size> shared;
  LimitCounters(shared).forgotten().set(1000);  // by the process before this one
  ClientLimits limits({.rate = 1, .burst = 1, .entries = 4}, 64, start, shared);
  for (std::uint32_t number = 1; number <= 10; ++number) {
    limits.judge(FileSlot{number}, address("192.0.2." + std::to_string(number)), start);
  }
  limits.tick(start);
  EXPECT_EQ(LimitCounters(shared).connections().get(), 10U);
  EXPECT_EQ(LimitCounters(shared).forgotten().get(), 1006U);
}

}  // namespace
}  // namespace lab
