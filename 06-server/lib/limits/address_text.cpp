#include "06-server/lib/limits/address_text.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>

namespace lab {

namespace {

// inet_pton(3) wants a zero at the end.
template <class Address>
bool parse(int family, std::string_view text, Address& address) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size()) return false;
  text.copy(copy.data(), text.size());
  return inet_pton(family, copy.data(), &address) == 1;
}

}  // namespace

std::size_t write_address(std::span<char, address_text_max> space,
                          const ClientAddress& address) noexcept {
  if (!address.is_ipv4()) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, address.bytes().data(), text.data(), text.size());
    const std::size_t size = std::strlen(text.data());
    std::memcpy(space.data(), text.data(), size);
    return size;
  }
  // By hand: it is done for each line of a log.
  char* end = space.data();
  for (const std::byte part : address.bytes().subspan(12)) {
    if (end != space.data()) *end++ = '.';
    end = std::to_chars(end, space.data() + space.size(), static_cast<unsigned>(part)).ptr;
  }
  return static_cast<std::size_t>(end - space.data());
}

std::optional<ClientAddress> parse_address(std::string_view text) noexcept {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  // One colon is in front of a port, and an IPv6 address has two at least.
  const bool has_port = !bracketed && end != std::string_view::npos && end == text.rfind(':');
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  if (bracketed) text = text.substr(1, end - 1);
  if (has_port) text = text.substr(0, end);
  in_addr ipv4{};
  if (!bracketed && parse(AF_INET, text, ipv4)) return ClientAddress(ipv4);
  in6_addr ipv6{};
  if (!has_port && parse(AF_INET6, text, ipv6)) return ClientAddress(ipv6);
  return std::nullopt;
}

}  // namespace lab
