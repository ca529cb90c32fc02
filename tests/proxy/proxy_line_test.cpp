// The line of the PROXY protocol, version 1.

#include "06-server/proxy/proxy_line.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

namespace lab {
namespace {

SocketAddress address(const char* text, std::uint16_t port) {
  SocketAddress result;
  if (inet_pton(AF_INET6, text, &result.place.sin6_addr) == 1) {
    result.place.sin6_family = AF_INET6;
    result.place.sin6_port = htons(port);
    return result;
  }
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, text, &ipv4.sin_addr), 1);
  std::memcpy(&result.place, &ipv4, sizeof ipv4);
  return result;
}

TEST(ProxyLine, IPv4) {
  const ConnectionEnds ends{address("192.0.2.1", 56324), address("203.0.113.9", 443)};
  EXPECT_EQ(ProxyLine(ends).text(), "PROXY TCP4 192.0.2.1 203.0.113.9 56324 443\r\n");
}

TEST(ProxyLine, IPv6) {
  const ConnectionEnds ends{address("2001:db8::1", 1), address("2001:db8::2", 65535)};
  EXPECT_EQ(ProxyLine(ends).text(), "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
}

TEST(ProxyLine, IPv4ThatAListenerOnBothFamiliesHas) {
  const ConnectionEnds ends{address("::ffff:192.0.2.1", 7), address("::ffff:192.0.2.2", 8)};
  EXPECT_EQ(ProxyLine(ends).text(), "PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n");
}

TEST(ProxyLine, TheLongestFits) {
  const char* longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const ConnectionEnds ends{address(longest, 65535), address(longest, 65535)};
  EXPECT_EQ(ProxyLine(ends).text().size(), 104U);
  EXPECT_TRUE(ProxyLine(ends).text().ends_with("65535 65535\r\n"));
}

TEST(ProxyLine, OfNobodyKnown) { EXPECT_EQ(ProxyLine().text(), "PROXY UNKNOWN\r\n"); }

}  // namespace
}  // namespace lab
