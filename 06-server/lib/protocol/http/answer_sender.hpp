// Sends answers: heads and small bodies through a pooled buffer, which pipelined ones share; large
// bodies from where they are; streamed ones piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// One connection's. What cannot go on gives false: nothing may be sent, no buffer is there, or a
/// piece of the file is due. The next hook tries again.
/// Rule: a hook ends with flush(); between hooks no buffer is held but a piece of a file.
template <class Source>
class AnswerSender {
 public:
  /// @param source the site
  /// @param copy_bytes_max bodies up to this are copied behind their head
  AnswerSender(Source& source, std::uint32_t copy_bytes_max) noexcept
      : source_(source), copy_bytes_max_(copy_bytes_max) {}

  /// The body of the last answer is not sent yet.
  bool sending() const noexcept { return left_ > 0; }
  /// Pooled buffers that are kept: a piece of a file that there was no room for.
  std::uint32_t buffers() const noexcept { return piece_.empty() ? 0 : 1; }
  /// Bytes of it.
  std::uint64_t left() const noexcept { return left_; }

  /// Sees to it that so many bytes can be written, or as many as a buffer holds.
  bool reserve(auto& io, std::size_t bytes) noexcept {
    if (buffer_ && space().size() >= bytes) return true;
    flush(io);
    if (io.room() > 0) buffer_ = io.take_buffer();
    return static_cast<bool>(buffer_);
  }
  /// Where the next bytes are written. Valid until wrote() or the next send.
  std::span<std::byte> space() const noexcept { return buffer_.space().subspan(written_); }
  /// So many bytes of the space are filled. REQUIRES: no more than there is.
  void wrote(std::size_t bytes) noexcept { written_ += static_cast<std::uint32_t>(bytes); }

  /// Sends what was written.
  void flush(auto& io) noexcept {
    if (written_ > 0) io.send(std::move(buffer_).filled(std::exchange(written_, 0)));
    buffer_ = {};
  }

  /// Begins a body: `size` bytes from `offset` of a variant that the site has just found.
  void begin(const Variant& variant, std::uint64_t offset, std::uint64_t size) noexcept {
    kept_alive_ = source_.pin();
    variant_ = &variant;
    offset_ = offset;
    left_ = size;
    copies_ = size <= copy_bytes_max_;
  }
  /// REQUIRES sending().
  bool send(auto& io) noexcept {
    const bool sent = variant_->fd >= 0 ? send_file(io)
                      : copies_         ? copy_memory(io)
                                        : send_memory(io);
    if (!sending()) kept_alive_.reset();
    return sent;
  }
  /// What read_file() brought; send() sends it. REQUIRES that it is not empty.
  void take_piece(Segment piece) noexcept {
    LAB_ASSERT(!piece.empty() && piece.size() <= left_ && piece_.empty());
    offset_ += piece.size();
    piece_ = std::move(piece);
    reading_ = false;
  }

  /// Nothing more is sent. What a file's read needs is kept: the engine destroys this after it.
  void abandon() noexcept {
    piece_.reset();
    buffer_ = {};
    written_ = 0;
    left_ = 0;
  }

 private:
  // A segment's size has 32 bits.
  static constexpr std::uint64_t piece_bytes_max = std::uint64_t{1} << 30U;

  bool copy_memory(auto& io) noexcept {
    if (!reserve(io, 1)) return false;
    const std::size_t count = std::min<std::uint64_t>(space().size(), left_);
    std::memcpy(space().data(), variant_->body.data() + offset_, count);
    wrote(count);
    advance(count);
    return true;
  }

  bool send_memory(auto& io) noexcept {
    flush(io);
    if (io.room() == 0) return false;
    const std::size_t count = std::min(piece_bytes_max, left_);
    io.send(source_.segment(variant_->body.subspan(offset_, count)));
    advance(count);
    return true;
  }

  bool send_file(auto& io) noexcept {
    flush(io);
    if (io.room() == 0) return false;
    if (!piece_.empty()) {
      left_ -= piece_.size();
      io.send(std::move(piece_));
      if (!sending()) return true;
    }
    if (reading_) return false;
    // The next piece is read while this one is being sent.
    const std::uint64_t count = std::min(piece_bytes_max, left_);
    reading_ = io.read_file({.fd = variant_->fd,
                             .offset = offset_,
                             .length = static_cast<std::uint32_t>(count),
                             .file_size = variant_->size,
                             .modified_ns = variant_->modified_ns});
    return false;
  }

  void advance(std::size_t count) noexcept {
    offset_ += count;
    left_ -= count;
  }

  Source& source_;
  // Empty between hooks.
  PooledBuffer buffer_;
  std::uint32_t written_ = 0;
  std::uint32_t copy_bytes_max_;

  Segment kept_alive_;                ///< the site's generation, while a body is being sent or read
  Segment piece_;                     ///< of the file, read and not sent
  const Variant* variant_ = nullptr;  ///< whose body is being sent
  std::uint64_t offset_ = 0;          ///< in the body, of what is to be sent or read next
  std::uint64_t left_ = 0;            ///< bytes to be sent
  bool copies_ = false;               ///< the body is small
  bool reading_ = false;              ///< a piece of the file is due
};

}  // namespace lab
