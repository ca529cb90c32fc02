// Which upstreams follow from --to, with a resolver of the test's own, and what can be none.

#include "06-server/proxy/upstream_addresses.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "06-server/proxy/upstreams.hpp"

namespace lab {
namespace {

using Strings = std::vector<std::string>;

// Numbers are the system's; "two" and "same" are names.
std::vector<SocketAddress> find(const std::string& host, std::uint16_t port) {
  if (host != "two" && host != "same" && host != "group") return look_up(host, port);
  std::vector<SocketAddress> all = look_up(host == "two" ? "::1" : "127.0.0.1", port);
  all.push_back(look_up(host == "group" ? "224.0.0.1" : "127.0.0.1", port).front());
  return all;
}

UpstreamAddresses found(const Strings& to, const ListenerOptions& listener = {}) {
  return find_upstreams(to, listener, &find);
}

std::string refusal(const Strings& to, const ListenerOptions& listener = {}) {
  try {
    found(to, listener);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "taken";
}

TEST(UpstreamAddresses, OneOfEachIsNamedAsItIsWritten) {
  const UpstreamAddresses all = found({"[0::1]:9001", "127.0.0.1:9001", "127.0.0.1:9002"});
  EXPECT_EQ(all.names, (Strings{"[0::1]:9001", "127.0.0.1:9001", "127.0.0.1:9002"}));
  EXPECT_EQ(all.notes, Strings{});
  ASSERT_EQ(all.addresses.size(), 3U);
  EXPECT_EQ(all.addresses[0].family(), AF_INET6);
  EXPECT_EQ(all.addresses[2].family(), AF_INET);
  EXPECT_EQ(ntohs(all.addresses[2].place.sin6_port), 9002);
}

// The first one alone would leave every client unserved where the server is at the second.
TEST(UpstreamAddresses, AllAddressesOfANameInTheResolversOrder) {
  const UpstreamAddresses all = found({"two:9001", "two:9002"});
  EXPECT_EQ(all.names, (Strings{"[::1]:9001", "127.0.0.1:9001", "[::1]:9002", "127.0.0.1:9002"}));
  EXPECT_EQ(all.notes, (Strings{"two:9001 is 2 upstreams: [::1]:9001, 127.0.0.1:9001",
                                "two:9002 is 2 upstreams: [::1]:9002, 127.0.0.1:9002"}));
  EXPECT_EQ(all.addresses.size(), 4U);
}

TEST(UpstreamAddresses, EachAddressIsOneUpstream) {
  UpstreamAddresses all = found({"same:9001"});
  EXPECT_EQ(all.names, Strings{"same:9001"});
  EXPECT_EQ(all.notes, Strings{});
  all = found({"127.0.0.1:9001", "two:9001", "same:9001"});
  EXPECT_EQ(all.names, (Strings{"127.0.0.1:9001", "[::1]:9001"}));
  EXPECT_EQ(all.notes, (Strings{"two:9001 is 2 upstreams: [::1]:9001, 127.0.0.1:9001",
                                "same:9001 is an upstream already, and counts once"}));
}

TEST(UpstreamAddresses, AtMostAsManyAsOneClientCanBeSentTo) {
  Strings to;
  for (std::size_t i = 1; i <= Upstreams::upstreams_max / 2; ++i) {
    to.push_back("two:" + std::to_string(i));
  }
  EXPECT_EQ(found(to).addresses.size(), Upstreams::upstreams_max);
  to.emplace_back("127.0.0.1:9001");
  EXPECT_NE(refusal(to).find("65 upstreams are too many. Cure: at most 64"), std::string::npos);
}

TEST(UpstreamAddresses, AConnectionHasOnePeer) {
  for (const char* text :
       {"224.0.0.1:80", "239.255.255.255:80", "[ff02::1]:80", "[::ffff:224.0.0.1]:80"}) {
    EXPECT_EQ(refusal({text}), std::string(text) +
                                   " is a multicast address, and a TCP connection has one peer. "
                                   "Cure: the address of a server");
  }
  EXPECT_NE(refusal({"group:80"}).find("group:80 (224.0.0.1:80) is a multicast"),
            std::string::npos);
  EXPECT_NE(refusal({"255.255.255.255:80"}).find("is the broadcast address"), std::string::npos);
  for (const char* text : {"223.255.255.255:80", "240.0.0.1:80", "[fe80::1%lo]:80"}) {
    EXPECT_EQ(refusal({text}), "taken") << text;
  }
}

TEST(UpstreamAddresses, TheProxyIsNoUpstreamOfItsOwn) {
  const ListenerOptions ipv4{.address = "127.0.0.1", .port = 8000};
  EXPECT_EQ(refusal({"127.0.0.1:8000"}, ipv4),
            "127.0.0.1:8000 is where this proxy listens itself (127.0.0.1:8000): a client would go "
            "round until no place is left. Cure: the server's address, or another --port here");
  EXPECT_NE(refusal({"two:8000"}, ipv4).find("two:8000 (127.0.0.1:8000) is where this proxy"),
            std::string::npos);
  struct Case {
    const char* to;
    const char* listens_on;
    bool v6_only;
    bool loops;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"127.0.0.1:8000", "0.0.0.0", false, true},
           {"127.0.0.2:8000", "0.0.0.0", false, true},
           {"127.0.0.2:8000", "127.0.0.1", false, false},
           {"[::1]:8000", "0.0.0.0", false, false},
           {"[::1]:8000", "127.0.0.1", false, false},
           {"[::1]:8000", "::1", false, true},
           {"[::1]:8000", "::", false, true},
           {"127.0.0.1:8000", "::", false, true},
           {"127.0.0.1:8000", "::", true, false},
           {"[::1]:8000", "::", true, true},
           {"[::ffff:127.0.0.1]:8000", "127.0.0.1", false, true},
           {"0.0.0.0:8000", "127.0.0.1", false, true},
           {"[::]:8000", "::1", false, true},
           {"192.0.2.1:8000", "192.0.2.1", false, true},
           {"192.0.2.1:8000", "0.0.0.0", false, false},
           {"127.0.0.1:8001", "127.0.0.1", false, false},
       }) {
    ListenerOptions listener{.address = one.listens_on, .port = 8000};
    listener.v6_only = one.v6_only;
    EXPECT_EQ(refusal({one.to}, listener) != "taken", one.loops)
        << one.to << " behind " << one.listens_on;
    listener.port = 0;
    EXPECT_EQ(refusal({one.to}, listener), "taken") << "the kernel picks a port that is free";
  }
}

TEST(UpstreamAddresses, WhatIsNotFound) {
  const std::string name = std::string(64, 'x') + ":80";  // too long for any name server
  EXPECT_NE(refusal({name}).find(name + " is not found: "), std::string::npos);
}

}  // namespace
}  // namespace lab
