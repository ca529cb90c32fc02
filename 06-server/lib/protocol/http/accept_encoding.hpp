// Which variant of a file a client gets: Accept-Encoding (RFC 9110, 12.5.3).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "06-server/lib/protocol/http/resource.hpp"

namespace lab {

/// What a client said of the codings, from all its Accept-Encoding lines together.
class AcceptedCodings {
 public:
  /// One line's value. A member that is no `coding;q=weight` counts for nothing.
  void add(std::string_view value) noexcept;

  /// How much it is wanted; 0: not at all. A coding that nobody named is not wanted, but identity
  /// is unless it was refused: then it comes after all that were named.
  std::uint32_t weight(Coding coding) const noexcept;

 private:
  static constexpr std::uint16_t unsaid = 0xffff;

  std::uint16_t others_ = unsaid;  ///< `*`
  std::array<std::uint16_t, 4> weights_ = {unsaid, unsaid, unsaid, unsaid};
};

/// The variant with the greatest weight, and of those the smallest. Where none is wanted it is
/// identity all the same (a client that refuses it has nothing better to get); without an identity
/// there is none.
const Variant* choose_variant(std::span<const Variant> variants,
                              const AcceptedCodings& accepted) noexcept;

}  // namespace lab
