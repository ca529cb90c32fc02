// Reads requests out of segments: heads in place where they came whole, and bodies past.
//
// A parser of our own, because none that Debian 12 has could take its place (README.md beside this
// file): what they let through would have to be refused by as many lines as these.
//
// Rule: what it says depends on the bytes alone, never on how they were cut. So a line is judged
// when it is complete; an incomplete one, only by what holds for each way in which it could go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "06-server/lib/protocol/http/body_reader.hpp"
#include "06-server/lib/protocol/http/head_stores.hpp"
#include "06-server/lib/protocol/http/request_head.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// One connection's reader. It is in one of three states: it reads (more bytes are needed), a
/// request is there with its body behind it, or one was refused and nothing after it is looked at.
class RequestReader {
 public:
  /// @param stores for heads that come in pieces; they outlive it
  RequestReader(HeadStores& stores, const HeadLimits& limits) noexcept
      : store_(stores), limits_(limits) {}

  /// Reads on. What was used is dropped from the front of `input`, but for a head that came whole
  /// and has no body: it is read in place, and stays in front until next().
  /// @return whether a request is there or was refused
  bool read(Segment& input, Waker waker) noexcept;
  /// Goes on to the next request.
  void next(Segment& input) noexcept;
  /// `input` goes back to where it came from. A head that is in it will be read again.
  void unread() noexcept {
    if (in_place()) forget();
  }
  /// Refuses what comes, whatever it is.
  void refuse(Status status) noexcept { refusal_ = status; }

  /// none: it is not refused.
  Status refusal() const noexcept { return refusal_; }
  /// It is refused because others needed its head's memory.
  bool displaced() const noexcept { return store_.lost(); }
  /// The request's first byte has come and its last has not.
  bool begun() const noexcept { return scanned_ > 0; }
  /// Only empty lines have come.
  bool only_blank() const noexcept {
    return scanned_ == line_begin_ && !request_.has_request_line();
  }
  /// The client waits for leave to send the body. It gets the answer instead, after which nobody
  /// knows whether the body comes: the connection ends (RFC 9110, 10.1.1).
  bool body_withheld() const noexcept { return request_.expects_continue() && request_.has_body(); }

  /// The request that is there. Valid until next().
  const RequestHead& request() const noexcept { return request_; }
  /// The bytes of the head. REQUIRES that a request is there.
  std::string_view head(const Segment& input) noexcept;
  /// The same as far as it has come, though it may have been refused.
  std::string_view head_so_far(const Segment& input) noexcept;

 private:
  /// Before a request there may be this many empty lines (RFC 9112, 2.2: at least one).
  static constexpr unsigned blank_lines_max = 4;

  bool in_place() const noexcept { return head_complete_ && !store_.held() && !store_.lost(); }
  void forget() noexcept;
  bool read_head(Segment& input, Waker waker) noexcept;
  bool continue_head(Segment& input) noexcept;
  void keep(std::string_view bytes) noexcept;
  bool scan(std::string_view bytes) noexcept;
  void read_line(std::string_view bytes, std::size_t end) noexcept;
  void judge_incomplete(std::string_view bytes, std::size_t looked_at) noexcept;
  std::uint32_t window() const noexcept;
  bool begin_body(Segment& input, Waker waker) noexcept;
  bool read_body(Segment& input) noexcept;

  RequestHead request_;
  BodyReader body_;
  HeadStore store_;
  const HeadLimits& limits_;
  std::uint32_t stored_ = 0;      ///< bytes in the store
  std::uint32_t scanned_ = 0;     ///< bytes of the head that were looked at
  std::uint32_t line_begin_ = 0;  ///< of the line that is incomplete
  std::uint8_t blank_lines_ = 0;
  bool head_complete_ = false;
  Status refusal_ = Status::none;
};

}  // namespace lab
