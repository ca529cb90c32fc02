// The pieces of files that a protocol asks for, one at a time, each in a pooled buffer.
//
// Lifetime: a base of its connection, which is not freed while read_ is armed: a read of a file
// cannot be cancelled, and ends soon.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "01-core/lib/ring.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// res: bytes read, 0 at the end, or -errno. Source: io_uring_prep_read(3), Linux 5.6.
class ReadPiece : public Completion {
 public:
  using Completion::Completion;

  /// Reads as much of the range as the buffer holds. It keeps the buffer until take().
  void start(Ring& ring, const FileRange& range, PooledBuffer buffer) noexcept {
    buffer_ = std::move(buffer);
    range_ = range;
    again(ring);
  }
  /// The same once more. REQUIRES: it was interrupted.
  void again(Ring& ring) noexcept {
    const auto space = static_cast<std::uint32_t>(buffer_.space().size());
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_read(sqe, range_.fd, buffer_.space().data(), std::min(range_.length, space),
                       range_.offset);
    ring.arm(sqe, *this);
  }
  /// What it brought: empty at the end of the file, when it is another, or when it failed.
  Segment take(int res) noexcept {
    const bool right = res > 0 && is_what_it_was();
    return std::move(buffer_).filled(right ? static_cast<std::uint32_t>(res) : 0);
  }

 private:
  // After the read: a write sets the time before the bytes, so bytes that are new come with a time
  // that is. fstat() of an open file does not wait for a disk; as an operation it would be handed
  // to a kernel thread (IORING_OP_STATX), once for each piece.
  bool is_what_it_was() const noexcept {
    if (range_.file_size == 0) return true;
    struct stat now {};
    return fstat(range_.fd, &now) == 0 &&
           static_cast<std::uint64_t>(now.st_size) == range_.file_size &&
           now.st_mtim.tv_sec * 1'000'000'000 + now.st_mtim.tv_nsec == range_.modified_ns;
  }

  PooledBuffer buffer_;
  FileRange range_;
};

/// Connection derives from it and has: commons(), take_buffer(), on_piece(segment).
/// @tparam On false: the protocol reads no files, and it costs nothing
template <class Connection, bool On>
class FileReader {
 public:
  bool reads() const noexcept { return read_.armed(); }  ///< a piece is on its way
  /// Of the Io.
  bool read_file(const FileRange& range) noexcept {
    PooledBuffer buffer = self().take_buffer();
    if (!buffer) return false;
    read_.start(self().commons().ring(), range, std::move(buffer));
    return true;
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }

  void on_read(Cqe cqe) noexcept {
    if (cqe.res == -EINTR || cqe.res == -EAGAIN) {
      read_.again(self().commons().ring());
      return;
    }
    self().commons().mark_ready(self());
    self().on_piece(read_.take(cqe.res));
  }

  Bind<ReadPiece, &FileReader::on_read> read_{*this};
};

template <class Connection>
class FileReader<Connection, false> {
 public:
  bool reads() const noexcept { return false; }
};

}  // namespace lab
