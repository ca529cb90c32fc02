// Lines for a descriptor that may block, such as a pipe that nobody reads: a loop that writes them
// here never waits.
//
// Lifetime: lives as long as its ring; nothing is in flight at its end, see close().
// Rule: one write at a time is in flight. What comes meanwhile waits in a buffer that has a bound;
// lines that do not fit are dropped and counted.
//   Output log(ring, STDERR_FILENO, 64 << 10);
//   log.write("server: started\n");
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "01-core/lib/ring.hpp"

namespace lab {

/// The inherited descriptors are shared with the user's shell, so they are not made O_NONBLOCK.
/// Regular files do not block: they are written at once, for write(2) alone locks the position that
/// two descriptors or two processes may share. Everything else is written by the ring's worker
/// threads (IOSQE_ASYNC), which may block and can be cancelled. A plain attempt could block: for a
/// terminal the kernel asks only whether there is room for a byte.
class Output {
 public:
  /// @param limit bytes that may wait
  Output(Ring& ring, int fd, std::size_t limit);

  /// @param line with its line break
  /// @return false when it was dropped: as many bytes wait as may
  bool write(std::string_view line) noexcept;

  /// True while nothing waits or is being written.
  bool idle() const noexcept { return text_.empty(); }
  /// Lines that did not fit, or whose write failed.
  std::uint64_t lost() const noexcept { return lost_; }
  /// The errno of the latest write that failed, or 0.
  int error() const noexcept { return error_; }

  /// Nothing more is begun, and what waits is lost. The owner cancels what is in flight.
  void close() noexcept;

 private:
  class Step : public Completion {
   public:
    using Completion::Completion;
  };

  void write_at_once() noexcept;
  void begin_step() noexcept;
  void on_step(Cqe cqe) noexcept;
  void lose_all(int error) noexcept;

  Ring& ring_;
  const int fd_;
  const std::size_t limit_;
  bool regular_ = false;
  bool by_thread_ = true;     ///< False once the kernel could not make a thread for a write
  bool awaits_room_ = false;  ///< the step in flight is a poll, as somebody made it O_NONBLOCK
  bool closed_ = false;
  int error_ = 0;
  std::uint64_t lost_ = 0;
  std::string text_;  ///< its memory never moves: all of it is reserved at the start
  Bind<Step, &Output::on_step> step_{*this};
};

}  // namespace lab
