#include "06-server/proxy/proxy_line.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace lab {

namespace {

struct Words {
  std::array<char, INET6_ADDRSTRLEN> address{};
  std::uint16_t port = 0;
  bool ipv4 = false;
};

Words words_of(const SocketAddress& end) noexcept {
  Words words;
  in_addr ipv4{};
  if (end.family() == AF_INET) {
    sockaddr_in place{};
    std::memcpy(&place, end.any(), sizeof place);
    ipv4 = place.sin_addr;
    words.port = ntohs(place.sin_port);
    words.ipv4 = true;
  } else {
    const in6_addr& ipv6 = end.place.sin6_addr;
    words.port = ntohs(end.place.sin6_port);
    words.ipv4 = IN6_IS_ADDR_V4MAPPED(&ipv6);
    if (words.ipv4) std::memcpy(&ipv4, &ipv6.s6_addr[12], sizeof ipv4);
  }
  const void* from = words.ipv4 ? static_cast<const void*>(&ipv4) : &end.place.sin6_addr;
  inet_ntop(words.ipv4 ? AF_INET : AF_INET6, from, words.address.data(),
            static_cast<socklen_t>(words.address.size()));
  return words;
}

}  // namespace

ProxyLine::ProxyLine() noexcept {
  size_ = static_cast<std::size_t>(std::snprintf(text_.data(), text_.size(), "PROXY UNKNOWN\r\n"));
}

ProxyLine::ProxyLine(const ConnectionEnds& ends) noexcept {
  const Words peer = words_of(ends.peer);
  const Words own = words_of(ends.own);
  size_ = static_cast<std::size_t>(
      std::snprintf(text_.data(), text_.size(), "PROXY %s %s %s %u %u\r\n",
                    peer.ipv4 && own.ipv4 ? "TCP4" : "TCP6", peer.address.data(),
                    own.address.data(), unsigned{peer.port}, unsigned{own.port}));
}

}  // namespace lab
