// Writes a worker's lines through its ring, so that neither a full disk nor a reader who sleeps
// stops the loop.
//
// Lifetime: made before the loop; nothing is in flight after settle() and the CQE that follows.
// Rule: one write at a time, of whole lines. Several workers append to one file, so each write of
// a file is all that waits, and each of a pipe at most what a pipe takes as a whole (PIPE_BUF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/line_buffer.hpp"

namespace lab {

/// What is no file (a pipe, a terminal) is written by the ring's worker threads (IOSQE_ASYNC): a
/// plain attempt could block there, and a write in such a thread can be cancelled. See Output.
class LogWriter {
 public:
  /// @param fd where the lines go: O_APPEND, where it is a file
  LogWriter(LineBuffer& lines, Fd fd) noexcept;
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// From now on it writes. @param ring outlives what is in flight
  void begin(Ring& ring) noexcept;
  /// Lines that no write has begun with go there, and the old descriptor is closed.
  void replace(Fd fd) noexcept;

 private:
  class Step : public Completion {
   public:
    using Completion::Completion;
  };

  void look() noexcept;
  bool settle(bool late) noexcept;
  void use(Fd fd) noexcept;
  void begin_step() noexcept;
  void on_step(Cqe cqe) noexcept;
  void give_up() noexcept;
  void lose(int error) noexcept;
  void lose(LineLoss why) noexcept;

  LineBuffer& lines_;
  Ring* ring_ = nullptr;
  Fd fd_;
  Fd next_;                      ///< takes the place of fd_ before the next write begins
  std::string_view rest_;        ///< of what was taken, not written yet
  bool regular_ = false;         ///< a file: the whole rest is written at once
  bool by_thread_ = true;        ///< false once the kernel could not make a thread for a write
  bool awaits_room_ = false;     ///< the step in flight is a poll, as somebody made it O_NONBLOCK
  bool half_line_ = false;       ///< a write ended within a line, and the rest of that is lost
  bool closed_ = false;          ///< no step is begun any more
  std::uint64_t settle_ns_ = 0;  ///< since when it is being settled; 0: it is not
  Bind<Step, &LogWriter::on_step> step_{*this};
};

}  // namespace lab
