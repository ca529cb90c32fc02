// In liburing's place where a system has no io_uring (-DLAB_IO_URING=OFF): the names that the
// supervisor's ring is made of. Its queues are plain memory, and process/poll_kernel.cpp stands at
// their other end; no operating system reads what is in here, so the layout is ours.
//
// Rule: what would ask a kernel says -ENOSYS. An operation that PollKernel does not know may be
// prepared, because headers that are read here do it, and ends with -EINVAL.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

// Errors that only some systems have. Nothing here returns the first two.
#ifndef EBADR
#define EBADR 0x7001
#endif
#ifndef EOWNERDEAD
#define EOWNERDEAD 0x7002
#endif
#ifndef ETIME
#define ETIME ETIMEDOUT
#endif

// NOLINTBEGIN: the names are liburing's.

struct __kernel_timespec {
  long long tv_sec;
  long long tv_nsec;
};

enum io_uring_op : std::uint8_t {
  IORING_OP_NOP,
  IORING_OP_TIMEOUT,
  IORING_OP_POLL_ADD,
  IORING_OP_RECV,
  IORING_OP_WRITE,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_UNKNOWN  // the others
};

constexpr unsigned IOSQE_FIXED_FILE = 1U << 0;
constexpr unsigned IOSQE_IO_HARDLINK = 1U << 3;
constexpr unsigned IOSQE_ASYNC = 1U << 4;
constexpr unsigned IOSQE_CQE_SKIP_SUCCESS = 1U << 6;

constexpr unsigned IORING_TIMEOUT_MULTISHOT = 1U << 6;
constexpr unsigned IORING_ASYNC_CANCEL_ALL = 1U << 0;
constexpr unsigned IORING_ASYNC_CANCEL_ANY = 1U << 2;

constexpr unsigned IORING_CQE_F_BUFFER = 1U << 0;
constexpr unsigned IORING_CQE_F_MORE = 1U << 1;
constexpr unsigned IORING_CQE_F_SOCK_NONEMPTY = 1U << 2;
constexpr unsigned IORING_CQE_F_NOTIF = 1U << 3;
constexpr unsigned IORING_CQE_F_BUF_MORE = 1U << 4;

constexpr unsigned IORING_SETUP_IOPOLL = 1U << 0;
constexpr unsigned IORING_SETUP_SQPOLL = 1U << 1;
constexpr unsigned IORING_SETUP_CQSIZE = 1U << 3;
constexpr unsigned IORING_SETUP_R_DISABLED = 1U << 6;
constexpr unsigned IORING_SETUP_SUBMIT_ALL = 1U << 7;
constexpr unsigned IORING_SETUP_SINGLE_ISSUER = 1U << 12;
constexpr unsigned IORING_SETUP_DEFER_TASKRUN = 1U << 13;
constexpr unsigned IORING_SETUP_NO_SQARRAY = 1U << 16;

constexpr unsigned IORING_ENTER_GETEVENTS = 1U << 0;
constexpr unsigned IORING_ENTER_SQ_WAKEUP = 1U << 1;
constexpr unsigned IORING_ENTER_REGISTERED_RING = 1U << 4;
constexpr unsigned IORING_SQ_NEED_WAKEUP = 1U << 0;
constexpr unsigned IORING_SQ_CQ_OVERFLOW = 1U << 1;

struct io_uring_sqe {
  std::uint8_t opcode;
  std::uint8_t flags;  // IOSQE_*
  std::int32_t fd;
  std::uint64_t addr;
  std::uint32_t len;
  union {
    std::uint32_t poll32_events;
    std::uint32_t msg_flags;
    std::uint32_t timeout_flags;
    std::uint32_t cancel_flags;
  };
  std::uint64_t user_data;
};

struct io_uring_cqe {
  std::uint64_t user_data;
  std::int32_t res;
  std::uint32_t flags;
};

struct io_uring_sq {
  unsigned* khead;
  unsigned* ktail;
  unsigned* kflags;
  io_uring_sqe* sqes;
  unsigned sqe_head;
  unsigned sqe_tail;
  unsigned ring_mask;
  unsigned ring_entries;
};

struct io_uring_cq {
  unsigned* khead;
  unsigned* ktail;
  io_uring_cqe* cqes;
  unsigned ring_mask;
  unsigned ring_entries;
};

struct io_uring {
  io_uring_sq sq;
  io_uring_cq cq;
  unsigned flags;  // IORING_SETUP_*
  int ring_fd;
  int enter_ring_fd;
};

struct io_uring_params {
  std::uint32_t cq_entries;
  std::uint32_t flags;
  std::uint32_t sq_thread_idle;
};

// --- what there is no kernel for ---

inline int io_uring_queue_init_params(unsigned, io_uring*, io_uring_params*) { return -ENOSYS; }
inline void io_uring_queue_exit(io_uring*) {}
inline int io_uring_register_ring_fd(io_uring*) { return -ENOSYS; }
inline int io_uring_ring_dontfork(io_uring*) { return -ENOSYS; }
inline int io_uring_enter(unsigned, unsigned, unsigned, unsigned, void*) { return -ENOSYS; }
inline int io_uring_sqring_wait(io_uring*) { return -ENOSYS; }

// --- the submission queue, as its owner sees it ---

inline unsigned io_uring_sq_space_left(const io_uring* ring) {
  return ring->sq.ring_entries - (ring->sq.sqe_tail - *ring->sq.khead);
}
/// @return nullptr: the queue is full
inline io_uring_sqe* io_uring_get_sqe(io_uring* ring) {
  if (io_uring_sq_space_left(ring) == 0) return nullptr;
  io_uring_sqe* sqe = &ring->sq.sqes[ring->sq.sqe_tail++ & ring->sq.ring_mask];
  *sqe = {};
  return sqe;
}
inline void io_uring_sqe_set_data(io_uring_sqe* sqe, void* data) {
  sqe->user_data = reinterpret_cast<std::uintptr_t>(data);
}
inline void* io_uring_cqe_get_data(const io_uring_cqe* cqe) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(cqe->user_data));
}

// --- operations ---

inline void io_uring_prep(io_uring_sqe* sqe, io_uring_op opcode, int fd, const void* address,
                          std::size_t size) {
  *sqe = {};
  sqe->opcode = opcode;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<std::uintptr_t>(address);
  sqe->len = static_cast<std::uint32_t>(size);
}
inline void io_uring_prep_nop(io_uring_sqe* sqe) {
  io_uring_prep(sqe, IORING_OP_NOP, -1, nullptr, 0);
}
inline void io_uring_prep_timeout(io_uring_sqe* sqe, __kernel_timespec* time, unsigned,
                                  unsigned flags) {
  io_uring_prep(sqe, IORING_OP_TIMEOUT, -1, time, 1);
  sqe->timeout_flags = flags;
}
inline void io_uring_prep_poll_add(io_uring_sqe* sqe, int fd, unsigned events) {
  io_uring_prep(sqe, IORING_OP_POLL_ADD, fd, nullptr, 0);
  sqe->poll32_events = events;
}
inline void io_uring_prep_recv(io_uring_sqe* sqe, int fd, void* to, std::size_t size, int flags) {
  io_uring_prep(sqe, IORING_OP_RECV, fd, to, size);
  sqe->msg_flags = static_cast<std::uint32_t>(flags);
}
inline void io_uring_prep_write(io_uring_sqe* sqe, int fd, const void* from, unsigned size,
                                std::uint64_t) {
  io_uring_prep(sqe, IORING_OP_WRITE, fd, from, size);
}
inline void io_uring_prep_cancel64(io_uring_sqe* sqe, std::uint64_t user_data, unsigned flags) {
  io_uring_prep(sqe, IORING_OP_ASYNC_CANCEL, -1, nullptr, 0);
  sqe->addr = user_data;
  sqe->cancel_flags = flags;
}
inline void io_uring_prep_close_direct(io_uring_sqe* sqe, unsigned) {
  io_uring_prep(sqe, IORING_OP_UNKNOWN, -1, nullptr, 0);
}
inline void io_uring_prep_shutdown(io_uring_sqe* sqe, int fd, int) {
  io_uring_prep(sqe, IORING_OP_UNKNOWN, fd, nullptr, 0);
}
inline void io_uring_prep_recvmsg(io_uring_sqe* sqe, int fd, void*, unsigned) {
  io_uring_prep(sqe, IORING_OP_UNKNOWN, fd, nullptr, 0);
}

// NOLINTEND
