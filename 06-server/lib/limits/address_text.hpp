// Addresses of clients as text, without the heap.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "06-server/lib/limits/client_address.hpp"

namespace lab {

/// An address has at most so many characters.
inline constexpr std::size_t address_text_max = INET6_ADDRSTRLEN - 1;

/// 192.0.2.1 or 2001:db8::1. @return how many characters were written
std::size_t write_address(std::span<char, address_text_max> space,
                          const ClientAddress& address) noexcept;

/// One address, with a port or without: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1]:80.
/// @return none: it is no address
std::optional<ClientAddress> parse_address(std::string_view text) noexcept;

}  // namespace lab
