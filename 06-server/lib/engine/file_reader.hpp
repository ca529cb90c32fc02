// The pieces of files that a protocol asks for, one at a time, each in a pooled buffer.
//
// Lifetime: a base of its connection, which is not freed while read_ is armed: a read of a file
// cannot be cancelled, and ends soon.
#pragma once

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
  /// What it brought: empty at the end of the file, or when it failed.
  Segment take(int res) noexcept {
    return std::move(buffer_).filled(res > 0 ? static_cast<std::uint32_t>(res) : 0);
  }

 private:
  PooledBuffer buffer_;
  FileRange range_;
};

/// Connection derives from it and has: commons(), on_piece(segment).
/// @tparam On false: the protocol reads no files, and it costs nothing
template <class Connection, bool On>
class FileReader {
 public:
  bool reads() const noexcept { return read_.armed(); }

 protected:
  void read_piece(const FileRange& range, PooledBuffer buffer) noexcept {
    read_.start(self().commons().ring(), range, std::move(buffer));
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
