// The body of a request: where it ends. What it holds is of no use to a server of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "06-server/lib/protocol/http/http_status.hpp"

namespace lab {

/// Follows a body of any framing through pieces of any size, and keeps nothing of it.
/// Rule: strict (RFC 9112, 7.1): no blanks around a size, no bare LF, extensions and trailers only
/// as the grammar has them. All of it is bounded: data by a limit, the rest by framing_bytes_max.
class BodyReader {
 public:
  /// Extensions and trailers of one body.
  static constexpr std::uint32_t framing_bytes_max = 16 * 1024;

  /// REQUIRES length > 0.
  void begin_length(std::uint64_t length) noexcept;
  /// @param bytes_max of the body; one that is longer is refused
  void begin_chunked(std::uint64_t bytes_max) noexcept;

  /// True until the body has ended or was refused.
  bool reading() const noexcept { return state_ != State::none && state_ != State::refused; }
  /// Reads on until the body ends or is refused.
  /// @return how many of the bytes belong to it
  std::size_t read(std::string_view bytes) noexcept;
  /// With what it was refused; none: with nothing.
  Status refusal() const noexcept { return refusal_; }

 private:
  /// What comes next.
  enum class State : std::uint8_t {
    none,
    refused,
    length_data,
    size_first,
    size,
    extension_semicolon,
    extension_name_first,
    extension_name,
    extension_equals,
    extension_value_first,
    extension_value,
    extension_quoted,
    extension_escaped,
    extension_value_end,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf
  };

  State refuse(Status status) noexcept;
  State after(char c) noexcept;
  State after_size_digit(int digit) noexcept;
  State after_size_line() noexcept;

  std::uint64_t left_ = 0;        ///< of the data: of the body or of the chunk
  std::uint64_t bytes_left_ = 0;  ///< that chunks may still have, all together
  std::uint32_t framing_bytes_ = 0;
  State state_ = State::none;
  Status refusal_ = Status::none;
  std::uint8_t size_digits_ = 0;
};

}  // namespace lab
