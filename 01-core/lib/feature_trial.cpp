#include "01-core/lib/feature_trial.hpp"

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lab {

namespace {

// A small ring that lives for one probe. Every wait has a deadline: a probe never hangs.
class ProbeRing {
 public:
  explicit ProbeRing(unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                      IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = 256;
    error_ = -io_uring_queue_init_params(64, &ring_, &params);
    features_ = params.features;
    if (error_ != 0) return;
    // A filter may allow the set-up and refuse the ring's use.
    error_ = -io_uring_enter(static_cast<unsigned>(ring_.ring_fd), 0, 0, IORING_ENTER_GETEVENTS,
                             nullptr);
    if (error_ != 0) io_uring_queue_exit(&ring_);
  }
  ~ProbeRing() {
    if (error_ == 0) io_uring_queue_exit(&ring_);
  }
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;

  int error() const { return error_; }
  bool kernel_says(unsigned feature) const { return error_ == 0 && (features_ & feature) != 0; }
  io_uring* raw() { return &ring_; }
  io_uring_sqe* sqe() { return io_uring_get_sqe(&ring_); }

  // One completion, or {-ETIME, 0} when none comes within 100 ms.
  std::pair<int, unsigned> next() {
    __kernel_timespec time{.tv_sec = 0, .tv_nsec = 100'000'000};
    io_uring_cqe* cqe = nullptr;
    const int res = io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &time, nullptr);
    if (cqe == nullptr) return {res < 0 ? res : -ETIME, 0};
    const std::pair<int, unsigned> result{cqe->res, cqe->flags};
    io_uring_cqe_seen(&ring_, cqe);
    return result;
  }

 private:
  io_uring ring_{};
  int error_ = 0;
  unsigned features_ = 0;
};

// A listener on loopback and a client connected to it; `server` is accepted on demand.
class TcpPair {
 public:
  TcpPair() {
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    ok_ = bind(listener, any, size) == 0 && listen(listener, 4) == 0 &&
          getsockname(listener, any, &size) == 0 && connect(client, any, size) == 0;
  }
  ~TcpPair() {
    for (const int fd : {server, client, listener}) {
      if (fd >= 0) close(fd);
    }
  }
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;

  bool accept_server() {
    server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    return server >= 0;
  }
  bool ok() const { return ok_; }

  int listener = -1, client = -1, server = -1;

 private:
  bool ok_ = false;
};

// Two ends of a local stream.
class LocalPair {
 public:
  LocalPair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    near = ends[0];
    far = ends[1];
  }
  ~LocalPair() {
    close_near();
    if (far >= 0) close(far);
  }
  LocalPair(const LocalPair&) = delete;
  LocalPair& operator=(const LocalPair&) = delete;

  bool ok() const { return far >= 0; }
  void close_near() {
    if (near >= 0) close(std::exchange(near, -1));
  }

  int near = -1, far = -1;
};

// A buffer ring of `count` buffers on a probe's ring.
class ProbeBuffers {
 public:
  ProbeBuffers(ProbeRing& ring, unsigned count, unsigned size, unsigned flags = 0)
      : ring_(ring), count_(count), memory_(std::size_t{count} * size) {
    buffers_ = io_uring_setup_buf_ring(ring.raw(), count, 1, flags, &error_);
    if (buffers_ == nullptr) {
      error_ = -error_;
      return;
    }
    for (unsigned index = 0; index < count; ++index) {
      io_uring_buf_ring_add(buffers_, memory_.data() + std::size_t{index} * size, size,
                            static_cast<unsigned short>(index), io_uring_buf_ring_mask(count),
                            static_cast<int>(index));
    }
    io_uring_buf_ring_advance(buffers_, static_cast<int>(count));
  }
  ~ProbeBuffers() {
    if (buffers_ != nullptr) io_uring_free_buf_ring(ring_.raw(), buffers_, count_, 1);
  }
  ProbeBuffers(const ProbeBuffers&) = delete;
  ProbeBuffers& operator=(const ProbeBuffers&) = delete;

  int error() const { return error_; }

 private:
  ProbeRing& ring_;
  unsigned count_;
  std::vector<char> memory_;
  io_uring_buf_ring* buffers_ = nullptr;
  int error_ = 0;
};

int failure(int res) { return res < 0 ? -res : EIO; }

int try_file_table() {
  ProbeRing ring;
  if (ring.error() != 0) return ring.error();
  return -io_uring_register_files_sparse(ring.raw(), 8);
}

int try_buffer_ring(unsigned flags) {
  ProbeRing ring;
  if (ring.error() != 0) return ring.error();
  return ProbeBuffers(ring, 8, 64, flags).error();
}

int try_accept_direct() {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (!pair.ok()) return EADDRNOTAVAIL;
  if (const int res = io_uring_register_files_sparse(ring.raw(), 8); res < 0) return -res;
  io_uring_prep_multishot_accept_direct(ring.sqe(), pair.listener, nullptr, nullptr, 0);
  const auto [res, flags] = ring.next();
  return res >= 0 && (flags & IORING_CQE_F_MORE) != 0 ? 0 : failure(res);
}

// Sends `bytes` to a multishot receive of 16-byte buffers and counts the completions of one enter.
// @param total where the receive shall end by itself; 0: nowhere
// @param how IORING_RECV* and IORING_RECVSEND*, beyond the multishot
int count_received(unsigned bytes, unsigned& completions, unsigned total = 0, unsigned how = 0) {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (!pair.ok() || !pair.accept_server()) return EADDRNOTAVAIL;
  ProbeBuffers buffers(ring, 256, 16);
  if (buffers.error() != 0) return buffers.error();
  const std::vector<char> data(bytes, 'x');
  if (send(pair.client, data.data(), data.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) {
    return EIO;
  }
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_recv_multishot(sqe, pair.server, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 1;
  sqe->optlen = total;
  sqe->ioprio |= static_cast<std::uint16_t>(how);
  const auto [res, flags] = ring.next();
  if (res <= 0 || (flags & IORING_CQE_F_MORE) == 0) return failure(res);
  completions = 1 + io_uring_cq_ready(ring.raw());
  return 0;
}

int try_recv_multishot() {
  unsigned completions = 0;
  return count_received(16, completions);
}

int try_recv_retry_limit() {
  unsigned completions = 0;
  if (const int error = count_received(16 * 192, completions); error != 0) return error;
  return completions < 192 ? 0 : EOPNOTSUPP;
}

int try_recv_total() {
  unsigned completions = 0;
  if (const int error = count_received(16 * 8, completions, 16 * 4); error != 0) return error;
  return completions == 4 ? 0 : EOPNOTSUPP;
}

int try_recv_bundle() {
  unsigned completions = 0;
  if (const int error = count_received(16 * 8, completions, 0, IORING_RECVSEND_BUNDLE);
      error != 0) {
    return error;
  }
  return completions < 8 ? 0 : EOPNOTSUPP;
}

int try_cancel() {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (!pair.ok() || !pair.accept_server()) return EADDRNOTAVAIL;
  char byte = 0;
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_recv(sqe, pair.server, &byte, 1, 0);
  sqe->user_data = 7;
  if (const int submitted = io_uring_submit(ring.raw()); submitted < 0) return failure(submitted);
  sqe = ring.sqe();
  io_uring_prep_cancel64(sqe, 7, 0);
  const int first = ring.next().first;
  const int second = ring.next().first;
  return (first == 0 && second == -ECANCELED) || (first == -ECANCELED && second == 0)
             ? 0
             : failure(first < 0 ? first : second);
}

int try_send_zero_copy(unsigned flags) {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (!pair.ok() || !pair.accept_server()) return EADDRNOTAVAIL;
  const char byte = 'x';
  io_uring_prep_send_zc(ring.sqe(), pair.server, &byte, 1, 0, flags);
  const auto [res, cqe_flags] = ring.next();
  if ((cqe_flags & IORING_CQE_F_MORE) != 0) {
    char received = 0;
    recv(pair.client, &received, 1, 0);  // the notification comes when the data is gone
    ring.next();
  }
  return res == 1 ? 0 : failure(res);
}

int try_registered_fd() {
  ProbeRing ring;
  if (ring.error() != 0) return ring.error();
  const int res = io_uring_register_ring_fd(ring.raw());
  return res == 1 ? 0 : failure(res);
}

int try_message_ring() {
  ProbeRing from, to;
  if (from.error() != 0 || to.error() != 0) return from.error() | to.error();
  io_uring_prep_msg_ring(from.sqe(), to.raw()->ring_fd, 42, 7, 0);
  if (const int res = from.next().first; res != 0) return failure(res);
  return to.next().first == 42 ? 0 : EIO;
}

int try_timer_multishot() {
  ProbeRing ring;
  if (ring.error() != 0) return ring.error();
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 1'000'000};
  io_uring_prep_timeout(ring.sqe(), &time, 0, IORING_TIMEOUT_MULTISHOT);
  const auto [res, flags] = ring.next();
  return res == -ETIME && (flags & IORING_CQE_F_MORE) != 0 ? 0 : failure(res);
}

int try_slot_options() {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (!pair.ok() || !pair.accept_server()) return EADDRNOTAVAIL;
  if (const int res = io_uring_register_files(ring.raw(), &pair.server, 1); res < 0) return -res;
  linger reset{.l_onoff = 1, .l_linger = 0};
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_SETSOCKOPT, 0, SOL_SOCKET, SO_LINGER, &reset,
                         sizeof reset);
  sqe->flags |= IOSQE_FIXED_FILE;
  const int res = ring.next().first;
  return res == 0 ? 0 : failure(res);
}

// Before 6.13 the files of closed slots are let go in the order of the requests on the table: one
// that began before the close, on whatever slot, keeps the file. Seen as the peer sees it.
int try_slot_release() {
  char byte = 0;
  ProbeRing ring;
  LocalPair busy, closed;
  if (ring.error() != 0) return ring.error();
  if (!busy.ok() || !closed.ok()) return EMFILE;
  const int slots[] = {busy.near, closed.near};
  if (const int res = io_uring_register_files(ring.raw(), slots, 2); res < 0) return -res;
  closed.close_near();
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_read(sqe, 0, &byte, 1, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  sqe->user_data = 7;
  io_uring_prep_close_direct(ring.sqe(), 1);
  const int res = ring.next().first;
  pollfd end{.fd = closed.far, .events = POLLIN, .revents = 0};
  const bool ended = poll(&end, 1, 20) == 1;
  io_uring_prep_cancel64(ring.sqe(), 7, 0);
  ring.next();  // the cancel's and the read's
  ring.next();
  if (res != 0) return failure(res);
  return ended ? 0 : EOPNOTSUPP;
}

int try_install_fd() {
  ProbeRing ring;
  TcpPair pair;
  if (ring.error() != 0) return ring.error();
  if (const int res = io_uring_register_files(ring.raw(), &pair.client, 1); res < 0) return -res;
  io_uring_prep_fixed_fd_install(ring.sqe(), 0, 0);
  const int res = ring.next().first;
  if (res < 0) return -res;
  close(res);
  return 0;
}

}  // namespace

int try_feature(Feature feature) {
  constexpr unsigned single = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  switch (feature) {
    case Feature::ring:
      return ProbeRing().error();
    case Feature::file_table:
      return try_file_table();
    case Feature::buffer_ring:
      return try_buffer_ring(0);
    case Feature::accept_direct:
      return try_accept_direct();
    case Feature::recv_multishot:
      return try_recv_multishot();
    case Feature::cancel:
      return try_cancel();
    case Feature::send_zero_copy:
      return try_send_zero_copy(0);
    case Feature::registered_fd:
      return try_registered_fd();
    case Feature::message_ring:
      return try_message_ring();
    case Feature::zero_copy_report:
      return try_send_zero_copy(IORING_SEND_ZC_REPORT_USAGE);
    case Feature::timer_multishot:
      return try_timer_multishot();
    case Feature::no_sqarray:
      return ProbeRing(single | IORING_SETUP_CQSIZE | IORING_SETUP_NO_SQARRAY).error();
    case Feature::slot_options:
      return try_slot_options();
    case Feature::install_fd:
      return try_install_fd();
    case Feature::recv_retry_limit:
      return try_recv_retry_limit();
    case Feature::slot_release:
      return try_slot_release();
    case Feature::recv_total:
      return try_recv_total();
    case Feature::recv_bundle:
      return try_recv_bundle();
    case Feature::incremental_buffers:
      return try_buffer_ring(IOU_PBUF_RING_INC);
    case Feature::min_wait:
      return ProbeRing().kernel_says(IORING_FEAT_MIN_TIMEOUT) ? 0 : EOPNOTSUPP;
    case Feature::count:
      break;
  }
  return EINVAL;
}

}  // namespace lab
