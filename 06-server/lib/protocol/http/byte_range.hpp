// The Range field (RFC 9110, 14): which bytes of a body are asked for.
//
// Decided here, where the RFC leaves it open: several ranges that do not join into one are answered
// with the whole file (14.2 allows it), so no request makes a server write more than a file has.
#pragma once

#include <cstdint>
#include <string_view>

namespace lab {

/// What a Range field asks for.
struct ByteRange {
  /// What is sent of the body.
  enum class Kind : std::uint8_t {
    whole,         ///< everything: it is invalid, of another unit, or too many
    part,          ///< `size` bytes from `offset`; at least one
    unsatisfiable  ///< nothing of it exists: 416
  };

  Kind kind = Kind::whole;   ///< the other two count only with part
  std::uint64_t offset = 0;  ///< bytes from the body's beginning
  std::uint64_t size = 0;    ///< bytes
};

/// More ranges than this in one field are taken for an attack (RFC 9110, 17.15) and ignored.
inline constexpr unsigned ranges_max = 32;

/// @param value of the field
/// @param size of the body in bytes
ByteRange parse_range(std::string_view value, std::uint64_t size) noexcept;

}  // namespace lab
