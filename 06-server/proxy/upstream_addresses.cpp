#include "06-server/proxy/upstream_addresses.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

#include "06-server/proxy/upstream_words.hpp"
#include "06-server/proxy/upstreams.hpp"

namespace lab {

namespace {

// An address without its port, IPv4 as IPv6 maps it: one form for all.
struct Host {
  in6_addr bytes{};

  bool is_ipv4() const noexcept { return IN6_IS_ADDR_V4MAPPED(&bytes); }
  // Host byte order. REQUIRES: is_ipv4()
  std::uint32_t ipv4() const noexcept {
    std::uint32_t result = 0;
    std::memcpy(&result, &bytes.s6_addr[12], sizeof result);
    return ntohl(result);
  }
  // The wildcard: 0.0.0.0 or ::
  bool is_any() const noexcept {
    return is_ipv4() ? ipv4() == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&bytes);
  }
  bool is_loopback() const noexcept {
    return is_ipv4() ? ipv4() >> 24 == IN_LOOPBACKNET : IN6_IS_ADDR_LOOPBACK(&bytes);
  }
  bool operator==(const Host& other) const noexcept {
    return IN6_ARE_ADDR_EQUAL(&bytes, &other.bytes);
  }
};

Host mapped(const in_addr& ipv4) noexcept {
  Host host;
  host.bytes.s6_addr[10] = host.bytes.s6_addr[11] = 0xff;
  std::memcpy(&host.bytes.s6_addr[12], &ipv4, sizeof ipv4);
  return host;
}

Host host_of(const SocketAddress& address) noexcept {
  if (address.family() == AF_INET6) return {address.place.sin6_addr};
  sockaddr_in place{};
  std::memcpy(&place, address.any(), sizeof place);
  return mapped(place.sin_addr);
}

// REQUIRES: numbers, as --address takes them.
Host host_of(const std::string& address) noexcept {
  Host host;
  in_addr ipv4{};
  if (inet_pton(AF_INET, address.c_str(), &ipv4) == 1) return mapped(ipv4);
  inet_pton(AF_INET6, address.c_str(), &host.bytes);
  return host;
}

// The wildcard is a listener's word; who connects to it comes to loopback.
Host where_it_leads(const Host& to) noexcept {
  if (!to.is_any()) return to;
  return to.is_ipv4() ? mapped({htonl(INADDR_LOOPBACK)}) : Host{in6addr_loopback};
}

// Whoever connects there connects to the listener, as far as the two addresses tell.
bool leads_to(const SocketAddress& address, const ListenerOptions& listener) noexcept {
  if (listener.port == 0 || ntohs(address.place.sin6_port) != listener.port) return false;
  const Host to = where_it_leads(host_of(address));
  const Host own = host_of(listener.address);
  if (to == own) return true;
  if (!own.is_any() || !to.is_loopback()) return false;
  return own.is_ipv4() == to.is_ipv4() || (to.is_ipv4() && !listener.v6_only);
}

// "[::1]:9001"
std::string text_of(const SocketAddress& address) {
  std::array<char, NI_MAXHOST> host{};
  getnameinfo(address.any(), address.size(), host.data(), host.size(), nullptr, 0, NI_NUMERICHOST);
  return host_port_text(host.data(), ntohs(address.place.sin6_port));
}

// "name:9001", or "name:9001 (127.0.0.1:9001)".
std::string with_address(const std::string& text, const std::string& address) {
  return text == address ? text : fmt::format("{} ({})", text, address);
}

void check(const std::string& what, const SocketAddress& address, const ListenerOptions& listener) {
  const Host host = host_of(address);
  if (host.is_ipv4() ? IN_MULTICAST(host.ipv4()) : IN6_IS_ADDR_MULTICAST(&host.bytes)) {
    throw std::invalid_argument(fmt::format(
        "{} is a multicast address, and a TCP connection has one peer. Cure: the address of a "
        "server",
        what));
  }
  if (host.is_ipv4() && host.ipv4() == INADDR_BROADCAST) {
    throw std::invalid_argument(fmt::format(
        "{} is the broadcast address, and a TCP connection has one peer. Cure: the address of a "
        "server",
        what));
  }
  if (leads_to(address, listener)) {
    throw std::invalid_argument(fmt::format(
        "{} is where this proxy listens itself ({}): a client would go round until no place is "
        "left. Cure: the server's address, or another --port here",
        what, host_port_text(listener.address, listener.port)));
  }
}

bool contains(const std::vector<SocketAddress>& all, const std::string& text) {
  return std::any_of(all.begin(), all.end(),
                     [&](const SocketAddress& each) { return text_of(each) == text; });
}

void add(UpstreamAddresses& all, const std::string& text, const std::vector<SocketAddress>& found,
         const ListenerOptions& listener) {
  std::vector<std::string> own;
  unsigned added = 0;
  for (const SocketAddress& address : found) {
    std::string name = text_of(address);
    if (std::find(own.begin(), own.end(), name) != own.end()) continue;
    own.push_back(name);
    check(with_address(text, name), address, listener);
    if (contains(all.addresses, name)) continue;
    ++added;
    all.addresses.push_back(address);
    all.names.push_back(std::move(name));
  }
  if (own.size() > 1) {
    all.notes.push_back(
        fmt::format("{} is {} upstreams: {}", text, own.size(), fmt::join(own, ", ")));
  } else if (added == 0) {
    all.notes.push_back(fmt::format("{} is an upstream already, and counts once", text));
  } else {
    all.names.back() = text;
  }
}

}  // namespace

std::vector<SocketAddress> look_up(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (error != 0) {
    throw std::invalid_argument(fmt::format(
        "{} is not found: {}. Cure: an address, or a name that this machine can look up",
        host_port_text(host, port), gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &freeaddrinfo);
  std::vector<SocketAddress> all;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    all.push_back(SocketAddress::from(*each->ai_addr, each->ai_addrlen));
  }
  return all;
}

UpstreamAddresses find_upstreams(const std::vector<std::string>& to,
                                 const ListenerOptions& listener, LookUp look_up) {
  UpstreamAddresses all;
  for (const std::string& text : to) {
    const HostPort place = split_upstream(text);
    add(all, text, look_up(place.host, *place.port), listener);
  }
  if (all.addresses.size() > Upstreams::upstreams_max) {
    throw std::invalid_argument(
        fmt::format("{} upstreams are too many. Cure: at most {}, and behind them other proxies",
                    all.addresses.size(), Upstreams::upstreams_max));
  }
  return all;
}

}  // namespace lab
