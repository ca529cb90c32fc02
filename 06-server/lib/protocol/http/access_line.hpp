// One line of the access log: what the client sent is kept while its answer is under way, what
// became of it is added at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/protocol/http/http_status.hpp"
#include "06-server/lib/protocol/http/log_text.hpp"

namespace lab {

/// How an answer ended.
struct AnswerEnd {
  Status status = Status::none;   ///< none: no answer was begun
  std::uint64_t body_bytes = 0;   ///< given to be sent
  std::uint64_t duration_ns = 0;  ///< from the whole request to the end
  bool cut = false;               ///< the connection was lost before the last byte
};

/// The time that stands in a line, written once a second.
class LogTime {
 public:
  explicit LogTime(LogFormat format) noexcept : format_(format) {}
  /// UTC: 30/Nov/2026:06:29:21 +0000, or for JSON 2026-11-30T06:29:21Z.
  /// @param now_s since 1970 @return it stays as it is until the next call
  std::string_view at(std::int64_t now_s) noexcept;

 private:
  const LogFormat format_;
  std::array<char, 32> text_{};
  std::size_t size_ = 0;
  std::int64_t written_s_ = -1;
};

/// Its memory is not touched before begin().
class AccessLine {
 public:
  /// A pipe takes so many bytes as a whole (PIPE_BUF), so lines of several workers never mix.
  static constexpr std::size_t bytes_max = 4096;

  /// Keeps what a client sent.
  /// @param head of its request as far as it has come; empty: there was none
  /// @param trusted whose X-Forwarded-For is believed
  void begin(LogFormat format, const ClientAddress& peer, std::span<const NetworkPrefix> trusted,
             std::string_view head) noexcept;
  /// Writes the line, with its line break. REQUIRES begin() and a space of bytes_max.
  /// @return how many bytes it has
  std::size_t write(std::span<char> space, std::string_view time,
                    const AnswerEnd& end) const noexcept;

 private:
  static constexpr std::size_t end_max = 256;  ///< the time, numbers, and what stands around them

  /// The parts of the text: in front of the time, behind it, behind the numbers.
  std::uint16_t request_at_;
  std::uint16_t tail_at_;
  std::uint16_t size_;
  LogFormat format_;
  std::array<char, bytes_max - end_max> text_;
};

}  // namespace lab
