// Direct descriptors: files that live in the ring's own table and never in the process's. A
// FileSlot is an index into that table; a slot is not a connection, for the kernel hands a closed
// slot out again at once.
//   FileTable table(ring, 1024);
//   close_.start(ring, slot);  // when every result that is due on the slot has come
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>

#include "01-core/lib/ring.hpp"

namespace lab {

/// An index into the ring's file table.
enum class FileSlot : std::uint32_t {};

/// The slot as liburing's calls want it, where IOSQE_FIXED_FILE says that it is no descriptor.
inline int index(FileSlot slot) noexcept { return static_cast<int>(slot); }

/// A sparse table whose slots the kernel picks (IORING_FILE_INDEX_ALLOC, Linux 5.19), or one of
/// given files.
/// Lifetime: it dies before its ring, when nothing is armed on its slots. Its files are closed
/// then, and not when the kernel takes the ring down, which it does some time after the program's
/// exit: until then they would be busy, and their file system could not be unmounted.
class FileTable {
 public:
  /// @param size at most RLIMIT_NOFILE of the process (EMFILE above it)
  /// @throws std::system_error
  FileTable(Ring& ring, unsigned size);
  /// Slot i is the file descriptors[i], which may be closed afterwards.
  /// @throws std::system_error
  FileTable(Ring& ring, std::span<const int> descriptors);
  ~FileTable();
  FileTable(const FileTable&) = delete;
  FileTable& operator=(const FileTable&) = delete;

  /// Slots in the table, used or not.
  unsigned size() const noexcept { return size_; }

  /// Closes what is in the slots and leaves them empty. REQUIRES: nothing armed on them.
  /// Returns when the files are closed since Linux 6.13; before, some milliseconds later.
  void empty() noexcept;

 private:
  Ring& ring_;
  unsigned size_;
};

/// Gives a slot back. Closing sends a FIN, but only when nothing is armed on the slot: an operation
/// in flight keeps the file open and goes on. So its results are joined first. Before Linux 6.13
/// that is not enough: see ShutdownSlot. res: 0, or -EBADF for an empty slot. Source:
/// io_uring_prep_close_direct(3), Linux 5.15.
class CloseSlot : public Completion {
 public:
  using Completion::Completion;

  /// REQUIRES: every result that is due on the slot has come.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_close_direct(sqe, static_cast<unsigned>(slot));
    ring.arm(sqe, *this);
  }
};

/// Ends the sending direction: the peer reads what was sent, and then the end. The slot stays; it
/// is not closed before this has its CQE, or the kernel's worker thread could find another
/// connection in it. res: 0, or -ENOTCONN after a reset by the peer. Source:
/// io_uring_prep_shutdown(3), Linux 5.11.
class SendFin : public Completion {
 public:
  using Completion::Completion;

  /// REQUIRES: no send of this slot is in flight; what the socket has taken goes out before the
  /// FIN.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_shutdown(sqe, index(slot), SHUT_WR);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// Ends a connection in both directions before its slot is closed, in one chain. For kernels before
/// 6.13, where a closed slot's file stays as long as any request that began on the table before the
/// close, on whatever slot: closing alone sends the FIN as late as that. It costs a worker thread
/// of the kernel. Nobody waits for it, and the close that follows comes after it.
/// res: 0, or -ENOTCONN after a reset by the peer. Source: io_uring_prep_shutdown(3), Linux 5.11.
class ShutdownSlot : public Completion {
 public:
  explicit ShutdownSlot(Handler handler) noexcept : Completion(handler, Standing::yes) {}

  /// REQUIRES: the next SQE is the slot's close, and ring.reserve(2) has made room for both.
  void link_before_close(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    // In both directions, as a close: what the peer still sends is answered by a reset.
    io_uring_prep_shutdown(sqe, index(slot), SHUT_RDWR);
    // Hard: the slot is closed even where there is nothing left to shut down.
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    io_uring_sqe_set_data(sqe, static_cast<Completion*>(this));
  }
};

}  // namespace lab
