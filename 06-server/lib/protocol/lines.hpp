// A small protocol of one's own, which uses every hook: it numbers the lines that it gets.
//   hello          →  1: hello
//   read NAME      →  2: 1000 bytes of NAME, and then the file, in pieces
//   bye            →  3: bye, and the end
// A line of more than 200 bytes, or one that is not complete after ten seconds, ends it too, and
// the client is told why.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// A file that `read NAME` sends. Lifetime: open as long as the server runs.
struct LineFile {
  std::string_view name;   ///< as a client writes it
  int fd = -1;             ///< open for reading
  std::uint64_t size = 0;  ///< bytes
};

/// See above. Its state is a line that is not complete, a buffer of answers, and a place in a file.
class Lines : public ProtocolDefaults {
 public:
  // [walk needs]
  /// Made before the loop; outlives the connections.
  struct Shared {
    std::span<const LineFile> files;    ///< those that can be read
    unsigned line_timeout_ms = 10'000;  ///< a line has to be complete within this time
  };
  /// It takes pooled buffers: for answers, and for pieces of files.
  static constexpr bool uses_buffers = true;
  // [/walk]
  static constexpr std::size_t line_max = 200;  ///< bytes, without the end of the line
  static constexpr std::string_view greeting = "lines: say something\n";  ///< sent first

  explicit Lines(Shared& shared) noexcept : shared_(shared) {}

  // [walk open]
  void on_open(auto& io) noexcept { io.send(Segment::stable(std::as_bytes(std::span(greeting)))); }
  // [/walk]

  // [walk bytes]
  void on_bytes(auto& io, Segment bytes) noexcept {
    while (!bytes.empty() && !ends_) {
      if (file_left_ > 0 || !has_space(io)) {
        flush(io);
        io.unread(std::move(bytes));
        deadline_ = no_deadline;  // none: now the client waits for us
        return;
      }
      const Cut cut = take_line(bytes);
      if (cut == Cut::none && line_size_ > line_max) {
        answer("too long");
        end(io, Finish::linger);
      } else if (cut == Cut::none) {
        deadline_ = deadline_of_line(io.tick());
      } else {
        deadline_ = no_deadline;
        io.pace();
        answer_line(io);
        line_size_ = 0;
      }
    }
    flush(io);
  }
  // [/walk]

  // [walk file]
  void on_file(auto& io, Segment piece) noexcept {
    reads_ = false;
    if (piece.empty()) {  // the file has shrunk: the client must not think that it has all
      io.reset();
      return;
    }
    file_offset_ += piece.size();
    file_left_ -= piece.size();
    io.send(std::move(piece));
    next_piece(io);
  }
  // [/walk]

  // [walk turn]
  void on_turn(auto& io) noexcept {
    if (file_left_ > 0) {
      next_piece(io);
    } else if (deadline_ != no_deadline && is_over(io.tick())) {
      if (!has_space(io)) return;
      deadline_ = no_deadline;
      answer("too slow");
      end(io, Finish::linger);
    } else if (!ends_) {
      io.receive(Receive::on);
    }
  }
  // [/walk]

  // [walk end]
  void on_end(auto& io) noexcept {
    ends_ = true;
    if (file_left_ == 0) io.finish(Finish::close);
  }
  // [/walk]

  // [walk ends]
  void on_abort() noexcept { out_ = {}; }

  /// True when neither a line nor a file has begun.
  bool idle() const noexcept { return line_size_ == 0 && file_left_ == 0; }
  /// The tick at which the line that has begun must be complete.
  std::uint32_t deadline() const noexcept { return deadline_; }
  // [/walk]

 private:
  enum class Cut : std::uint8_t { none, line };
  // The longest answer: a number, a file's size, and the line.
  static constexpr std::uint32_t answer_max = 64 + line_max;

  std::uint32_t deadline_of_line(std::uint32_t tick) const noexcept {
    return deadline_ != no_deadline ? deadline_ : tick + shared_.line_timeout_ms / protocol_tick_ms;
  }
  bool is_over(std::uint32_t tick) const noexcept {
    return static_cast<std::int32_t>(tick - deadline_) >= 0;
  }

  // [walk space]
  // True when one more answer fits. Several answers share a buffer.
  bool has_space(auto& io) noexcept {
    if (out_ && out_.space().size() - out_size_ >= answer_max) return true;
    flush(io);
    if (io.room() == 0) return false;
    out_ = io.take_buffer();
    return static_cast<bool>(out_);
  }
  // [/walk]

  // [walk flush]
  void flush(auto& io) noexcept {
    if (out_size_ > 0) io.send(std::move(out_).filled(std::exchange(out_size_, 0)));
    out_ = {};
  }
  // [/walk]

  // What is there of a line is copied: so nobody who stops in the middle of one keeps a buffer.
  Cut take_line(Segment& bytes) noexcept {
    const auto* text = reinterpret_cast<const char*>(bytes.bytes().data());
    const auto* end = static_cast<const char*>(std::memchr(text, '\n', bytes.size()));
    const auto size = end != nullptr ? static_cast<std::uint32_t>(end - text) : bytes.size();
    const auto kept = std::min<std::size_t>(size, line_max + 1 - line_size_);
    std::memcpy(line_.data() + line_size_, text, kept);
    line_size_ = static_cast<std::uint32_t>(line_size_ + kept);
    const bool whole = end != nullptr && kept == size;
    bytes.drop_front(whole ? size + 1 : static_cast<std::uint32_t>(kept));
    return whole && line_size_ <= line_max ? Cut::line : Cut::none;
  }

  void answer_line(auto& io) noexcept {
    const std::string_view line(line_.data(), line_size_);
    if (line == "bye") {
      answer("bye");
      end(io, Finish::close);
    } else if (line.starts_with("read ")) {
      answer_file(io, line.substr(5));
    } else {
      answer(line);
    }
  }

  void answer_file(auto& io, std::string_view name) noexcept {
    const auto file = std::find_if(shared_.files.begin(), shared_.files.end(),
                                   [=](const LineFile& one) { return one.name == name; });
    if (file == shared_.files.end()) {
      answer("no such file");
      return;
    }
    begin_answer();
    put(file->size);
    put(" bytes of ");
    put(name);
    put("\n");
    file_fd_ = file->fd;
    file_offset_ = 0;
    file_left_ = file->size;
    flush(io);
    next_piece(io);
  }

  // [walk piece]
  void next_piece(auto& io) noexcept {
    if (file_left_ == 0) {
      if (ends_) io.finish(Finish::close);
    } else if (!reads_ && io.room() > 0) {
      const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(file_left_, ~0U));
      reads_ = io.read_file({.fd = file_fd_, .offset = file_offset_, .length = length});
    }
  }
  // [/walk]

  void end(auto& io, Finish how) noexcept {
    ends_ = true;
    flush(io);
    io.finish(how);
  }

  void answer(std::string_view text) noexcept {
    begin_answer();
    put(text);
    put("\n");
  }
  void begin_answer() noexcept {
    put(++number_);
    put(": ");
  }
  void put(std::uint64_t number) noexcept {
    std::array<char, 20> digits;
    const auto result = std::to_chars(digits.begin(), digits.end(), number);
    put(std::string_view(digits.data(), static_cast<std::size_t>(result.ptr - digits.data())));
  }
  void put(std::string_view text) noexcept {
    std::memcpy(out_.space().data() + out_size_, text.data(), text.size());
    out_size_ += static_cast<std::uint32_t>(text.size());
  }

  Shared& shared_;
  PooledBuffer out_;  ///< answers that were not sent yet
  std::uint32_t out_size_ = 0;
  std::uint32_t line_size_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;  ///< bytes of the file that is being sent
  int file_fd_ = -1;
  std::uint32_t deadline_ = no_deadline;
  bool reads_ = false;  ///< a piece of the file is on its way
  bool ends_ = false;   ///< no more lines are taken
  std::array<char, line_max + 1> line_;
};
static_assert(Protocol<Lines>);

}  // namespace lab
