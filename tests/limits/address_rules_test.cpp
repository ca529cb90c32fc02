#include "06-server/lib/limits/address_rules.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <bitset>
#include <random>

namespace lab {
namespace {

NetworkPrefix network(const std::string& text) {
  NetworkPrefix parsed;
  EXPECT_EQ(parse_network(text, parsed), "") << text;
  return parsed;
}
ClientAddress client(const std::string& text) { return network(text).address; }

std::vector<NetworkPrefix> networks(const std::vector<std::string>& texts) {
  std::vector<NetworkPrefix> all;
  for (const std::string& text : texts) all.push_back(network(text));
  return all;
}

TEST(ClientAddress, Ipv4IsOneClientOnBothKindsOfListeners) {
  sockaddr_in6 peer{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(peer);
  ipv4.sin_family = AF_INET;
  inet_pton(AF_INET, "192.0.2.7", &ipv4.sin_addr);
  const ClientAddress plain = ClientAddress::from(peer);
  EXPECT_EQ(plain, client("192.0.2.7"));
  EXPECT_EQ(plain, client("::ffff:192.0.2.7"));
  EXPECT_TRUE(plain.is_ipv4());
  EXPECT_FALSE(client("2001:db8::1").is_ipv4());

  peer = {};
  peer.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "2001:db8::1", &peer.sin6_addr);
  EXPECT_EQ(ClientAddress::from(peer), client("2001:db8::1"));
  peer.sin6_family = AF_UNIX;
  EXPECT_EQ(ClientAddress::from(peer), ClientAddress());
}

TEST(ClientAddress, APrefixKeepsItsBitsAndNoOther) {
  in6_addr ones;
  std::fill(std::begin(ones.s6_addr), std::end(ones.s6_addr), std::uint8_t{0xff});
  for (unsigned length = 0; length <= 128; ++length) {
    const ClientAddress prefix = ClientAddress(ones).prefix(length);
    for (unsigned bit = 0; bit < 128; ++bit) {
      const bool set =
          std::bitset<8>(std::to_integer<unsigned>(prefix.bytes()[bit / 8]))[7 - bit % 8];
      ASSERT_EQ(set, bit < length) << "bit " << bit << " of /" << length;
    }
  }
}

TEST(ParseNetwork, TakesBothFamilies) {
  EXPECT_EQ(network("192.0.2.0/24"), network("::ffff:192.0.2.0/120"));
  EXPECT_EQ(network("0.0.0.0/0").length, 96U);
  EXPECT_EQ(network("::/0").length, 0U);
  EXPECT_EQ(network("192.0.2.1").length, 128U);
  EXPECT_TRUE(network("2001:db8::/32").contains(client("2001:db8:ffff::1")));
  EXPECT_FALSE(network("2001:db8::/32").contains(client("2001:db9::1")));
  EXPECT_FALSE(network("::/0").contains(client("192.0.2.1")));
  EXPECT_FALSE(network("0.0.0.0/0").contains(client("2001:db8::1")));
}

TEST(ParseNetwork, SaysWhatIsWrong) {
  const auto complaint = [](const std::string& text) {
    NetworkPrefix parsed;
    return parse_network(text, parsed);
  };
  for (const char* text :
       {"", "/8", "localhost", "10.0.0/8", "10.0.0.0.0/8", "10.0.0.1:80/8", "::g"})
    EXPECT_NE(complaint(text).find("is no network"), std::string::npos) << text;
  for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129",
                           "10.0.0.0/ 8", "10.0.0.0/8/8", "10.0.0.0/4294967304"})
    EXPECT_NE(complaint(text).find("has no length"), std::string::npos) << text;
  for (const char* text : {"10.0.0.1/8", "192.0.2.1/0", "2001:db8::1/64"})
    EXPECT_NE(complaint(text).find("bits behind its prefix"), std::string::npos) << text;
}

TEST(AddressRules, WithoutAnyEverybodyIsLetIn) {
  EXPECT_TRUE(AddressRules().lets_in(client("192.0.2.1")));
  EXPECT_TRUE(AddressRules().empty());
}

TEST(AddressRules, ADenyLeavesTheOthers) {
  const AddressRules rules({}, networks({"10.0.0.0/8"}));
  EXPECT_FALSE(rules.lets_in(client("10.1.2.3")));
  EXPECT_TRUE(rules.lets_in(client("11.1.2.3")));
  EXPECT_TRUE(rules.lets_in(client("2001:db8::1")));
}

TEST(AddressRules, AnAllowLeavesOutTheOthers) {
  const AddressRules rules(networks({"10.0.0.0/8"}), {});
  EXPECT_TRUE(rules.lets_in(client("10.1.2.3")));
  EXPECT_FALSE(rules.lets_in(client("11.1.2.3")));
  EXPECT_FALSE(rules.lets_in(client("2001:db8::1")));
}

TEST(AddressRules, ANetworkOfIPv6HasNoIPv4Clients) {
  for (const char* all : {"::/0", "::/1", "::/64"}) {
    const AddressRules rules({network(all)}, {});
    EXPECT_FALSE(rules.lets_in(client("192.0.2.7"))) << all;
    EXPECT_TRUE(rules.lets_in(client("::1"))) << all;
  }
  EXPECT_TRUE(AddressRules({network("::ffff:0:0/96")}, {}).lets_in(client("192.0.2.7")));
}

TEST(AddressRules, TheLongestDecidesInAnyOrder) {
  for (const bool turned : {false, true}) {
    auto allowed = networks({"10.0.0.0/8", "10.1.2.0/24"});
    if (turned) std::swap(allowed[0], allowed[1]);
    const AddressRules rules(allowed, networks({"10.1.0.0/16", "10.1.2.3"}));
    EXPECT_TRUE(rules.lets_in(client("10.2.0.1")));
    EXPECT_FALSE(rules.lets_in(client("10.1.0.1")));
    EXPECT_TRUE(rules.lets_in(client("10.1.2.1")));
    EXPECT_FALSE(rules.lets_in(client("10.1.2.3")));
  }
}

TEST(AddressRules, WhatIsInBothIsDenied) {
  const AddressRules rules(networks({"10.0.0.0/8"}), networks({"10.0.0.0/8"}));
  EXPECT_FALSE(rules.lets_in(client("10.1.2.3")));
}

}  // namespace
}  // namespace lab
