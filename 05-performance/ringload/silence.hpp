// How long a server may be silent while answers are due: a run that ends with the last answer must
// end without it, too.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "05-performance/ringload/options.hpp"

namespace lab {

inline std::uint64_t patience_ns(const LoadOptions& options) noexcept {
  return static_cast<std::uint64_t>(options.patience_s * 1e9);
}

/// Bytes that count as a sign of life: a message, or a good part of a large one. A server that
/// sends a byte now and then would otherwise keep us for days.
inline std::uint64_t sign_of_life(const LoadOptions& options) noexcept {
  constexpr std::size_t enough = std::size_t{64} << 10;
  return std::min(options.size, enough);
}

/// Looked at after every round of the loop.
class Silence {
 public:
  explicit Silence(const LoadOptions& options) noexcept
      : patience_ns_(patience_ns(options)), enough_(sign_of_life(options)) {}

  /// @param bytes_in received so far
  /// @param awaited whether an answer is due
  /// @return true when one has been due for longer than the patience lasts
  bool too_long(std::uint64_t now_ns, std::uint64_t bytes_in, bool awaited) noexcept {
    if (since_ns_ == 0 || !awaited || bytes_in - bytes_in_ >= enough_) {
      since_ns_ = now_ns;
      bytes_in_ = bytes_in;
    }
    return now_ns - since_ns_ >= patience_ns_;
  }

 private:
  const std::uint64_t patience_ns_;
  const std::uint64_t enough_;
  std::uint64_t since_ns_ = 0;
  std::uint64_t bytes_in_ = 0;
};

}  // namespace lab
