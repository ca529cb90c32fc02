// The line by which a proxy says whom it speaks for: version 1 of the PROXY protocol.
#pragma once

#include <array>
#include <string_view>

#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

/// Lifetime: text() is in it.
class ProxyLine {
 public:
  /// Of a client whose ends are not known: UNKNOWN.
  ProxyLine() noexcept;
  /// @param ends as the client's connection has them. IPv4 mapped into IPv6 is IPv4
  explicit ProxyLine(const ConnectionEnds& ends) noexcept;

  /// With its CR and LF; at most 107 bytes.
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 108> text_;
  std::size_t size_ = 0;
};

}  // namespace lab
