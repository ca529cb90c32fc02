// Where a client comes from: sixteen bytes, for both families. IPv4 is ::ffff:a.b.c.d, as a
// listener on :: sees it, so that one client has one address on any listener.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lab {

/// An address without a port. A value: 16 bytes.
class ClientAddress {
 public:
  static constexpr unsigned bits = 128;        ///< of an address; IPv4 takes the last 32
  static constexpr unsigned ipv4_offset = 96;  ///< of an IPv4 address's first bit

  ClientAddress() = default;
  explicit ClientAddress(const in6_addr& address) noexcept {
    std::memcpy(bytes_.data(), &address, bytes_.size());
  }
  explicit ClientAddress(const in_addr& address) noexcept {
    bytes_[10] = bytes_[11] = std::byte{0xff};
    std::memcpy(&bytes_[12], &address, sizeof address);
  }
  /// What accept() says. An address that is neither IPv4 nor IPv6 is ::.
  static ClientAddress from(const sockaddr_in6& peer) noexcept {
    if (peer.sin6_family == AF_INET6) return ClientAddress(peer.sin6_addr);
    if (peer.sin6_family != AF_INET) return {};
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &peer, sizeof ipv4);
    return ClientAddress(ipv4.sin_addr);
  }

  /// True for an address of IPv4.
  bool is_ipv4() const noexcept {
    static constexpr std::array<std::byte, 12> head{
        {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};
    return std::equal(head.begin(), head.end(), bytes_.begin());
  }
  /// Its first bits, and zeros. @param length in bits, at most 128
  ClientAddress prefix(unsigned length) const noexcept {
    ClientAddress network = *this;
    for (unsigned byte = 0; byte < bytes_.size(); ++byte) {
      const unsigned kept = std::clamp(length, 8 * byte, 8 * byte + 8) - 8 * byte;
      network.bytes_[byte] &= static_cast<std::byte>(0xff00U >> kept);
    }
    return network;
  }
  /// All 16, in network order. Valid as long as this object.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  bool operator==(const ClientAddress&) const = default;

 private:
  std::array<std::byte, 16> bytes_{};
};

}  // namespace lab
