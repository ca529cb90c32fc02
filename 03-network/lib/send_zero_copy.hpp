// A send that does not copy: the network card reads our memory. Over loopback the kernel copies,
// when it delivers.
//
// Two CQEs: the result, with F_MORE, says how many bytes; the notification says that the kernel no
// longer reads them. Order follows the result, lifetime follows the notification. Only F_MORE tells
// whether a notification will come: a send that failed can still owe one.
//
// start() sends; its owner's handler gets both CQEs; copied() reads the usage report:
//   Bind<SendZeroCopy, &Connection::on_send> send_{*this};
//   send_.start(ring, slot, lease.bytes(), {.report_usage = true});
//   void on_send(Cqe cqe) noexcept { if (!send_.armed()) lease.reset(); }
#pragma once

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"

namespace lab {

/// Source: io_uring_prep_send_zc(3), Linux 6.0; the usage report Linux 6.2.
class SendZeroCopy : public Completion {
 public:
  using Completion::Completion;

  /// How it is sent.
  struct Options {
    bool report_usage =
        false;               ///< the notification's res says whether the kernel copied (Linux 6.2)
    bool what_fits = false;  ///< ends as soon as the socket has taken some: see Send::Ending
    bool fixed = false;      ///< the bytes lie in the registered buffer below: nothing is pinned
    unsigned buffer_index = 0;  ///< which registered buffer; read only when `fixed`
  };

  /// Two CQEs follow when the first has F_MORE: the result, in bytes or -errno, then the
  /// notification. REQUIRES: the bytes stay as they are until the last one.
  void start(Ring& ring, FileSlot slot, std::span<const std::byte> bytes,
             const Options& options) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    const unsigned flags = options.report_usage ? IORING_SEND_ZC_REPORT_USAGE : 0U;
    const int message_flags = MSG_NOSIGNAL | (options.what_fits ? 0 : MSG_WAITALL);
    if (options.fixed) {
      io_uring_prep_send_zc_fixed(sqe, index(slot), bytes.data(), bytes.size(), message_flags,
                                  flags, options.buffer_index);
    } else {
      io_uring_prep_send_zc(sqe, index(slot), bytes.data(), bytes.size(), message_flags, flags);
    }
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }

  /// What a notification with the usage report says.
  static bool copied(const Cqe& notification) noexcept {
    return (static_cast<unsigned>(notification.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
  }
};

}  // namespace lab
