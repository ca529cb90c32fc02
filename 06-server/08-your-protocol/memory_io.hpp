// An engine without a kernel: a peer that is two strings, one pooled buffer, and a file in memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "06-server/lib/protocol/protocol.hpp"

namespace memory {

inline std::string_view text_of(const lab::Segment& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.size()};
}

// [walk buffer]
// Its only buffer. It is home again when nobody reads it any more.
class OneBuffer final : public lab::SegmentOwner {
 public:
  OneBuffer() noexcept
      : SegmentOwner(
            lab::SegmentKind::pooled,
            [](SegmentOwner& self, std::uint32_t) noexcept { ++of(self).readers_; },
            [](SegmentOwner& self, std::uint32_t) noexcept { --of(self).readers_; }) {}

  lab::PooledBuffer take() noexcept {
    if (readers_ > 0) return {};
    readers_ = 1;
    return {*this, 0, bytes_};
  }

 private:
  static OneBuffer& of(SegmentOwner& self) { return static_cast<OneBuffer&>(self); }

  std::array<std::byte, 512> bytes_{};
  unsigned readers_ = 0;
};
// [/walk]

// [walk io]
class Io {
 public:
  explicit Io(std::string_view file) : file_(file) {}

  void send(lab::Segment bytes) noexcept { outbox_.push_back(std::move(bytes)); }
  std::uint32_t room() const noexcept { return outbox_.size() < 2 ? 512 : 0; }
  lab::PooledBuffer take_buffer() noexcept { return buffer_.take(); }
  bool read_file(const lab::FileRange& range) noexcept {
    file_buffer_ = buffer_.take();
    if (file_buffer_) asked_ = range;
    return asked_.has_value();
  }
  void receive(lab::Receive what) noexcept { wants_ = what == lab::Receive::on; }
  void unread(lab::Segment bytes) noexcept {
    inbox_ = text_of(bytes);
    wants_ = false;
  }
  bool all_sent() const noexcept { return outbox_.empty(); }
  void finish(lab::Finish) noexcept { finished_ = true; }
  void reset() noexcept { finished_ = true; }
  bool admit_request() noexcept { return true; }
  void pace() noexcept {}
  std::uint32_t tick() const noexcept { return 0; }
  lab::Waker waker() noexcept {
    return {nullptr, [](void*) noexcept {}};
  }
  lab::ClientAddress peer() const noexcept { return {}; }
  // [/walk]

  // [walk engine]
  // What an engine does: these bytes have come. Returns when nothing more happens.
  template <class Protocol>
  void deliver(Protocol& protocol, std::string_view bytes) {
    inbox_ = bytes;
    for (bool moves = true; moves;) {
      if (asked_) {
        protocol.on_file(*this, piece());
      } else if (!outbox_.empty()) {
        heard += text_of(outbox_.front());  // the peer reads the oldest
        outbox_.erase(outbox_.begin());
      } else if (wants_ && !finished_ && !inbox_.empty()) {
        const auto next = std::as_bytes(std::span(std::exchange(inbox_, {})));
        protocol.on_bytes(*this, lab::Segment::stable(next));
      } else {
        moves = false;
      }
      protocol.on_turn(*this);
    }
  }
  // [/walk]

  std::string heard;

 private:
  lab::Segment piece() {
    const lab::FileRange range = *std::exchange(asked_, std::nullopt);
    const std::span<std::byte> space = file_buffer_.space();
    const std::string_view rest = file_.substr(static_cast<std::size_t>(range.offset));
    const std::size_t size = std::min(rest.size(), space.size());
    std::memcpy(space.data(), rest.data(), size);
    return std::move(file_buffer_).filled(static_cast<std::uint32_t>(size));
  }

  OneBuffer buffer_;  // it outlives what lies in it
  lab::PooledBuffer file_buffer_;
  std::string_view file_;
  std::string_view inbox_;
  std::vector<lab::Segment> outbox_;
  std::optional<lab::FileRange> asked_;
  bool wants_ = true;
  bool finished_ = false;
};
static_assert(lab::Io<Io>);

}  // namespace memory
