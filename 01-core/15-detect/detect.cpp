// shows: four ways to find out what a kernel can do, and why only the last one is sure
// needs: Linux 5.6 (the probe)
// try:   ./lab run 01-15; ./lab doctor does the same for everything that the server needs
#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

const char* yes_or_no(bool yes) { return yes ? "yes" : "no"; }

// [walk answer]
// The res of the first CQE. It takes all of them, also the notification that may follow a refused
// zero-copy send: the next answer() would mistake it for its own.
int answer(io_uring& ring) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const io_uring_cqe first = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  if ((first.flags & IORING_CQE_F_MORE) != 0) answer(ring);  // nothing to submit, one more to take
  return first.res;
}
// [/walk]

// [walk features]
// 1. Behaviour that has no operation of its own is announced by bits that the set-up returns.
void look_at_features(const io_uring& ring) {
  std::printf("features: a full CQ drops nothing: %s\n",
              yes_or_no((ring.features & IORING_FEAT_NODROP) != 0));
  std::printf("features: waiting with a minimum: %s\n",
              yes_or_no((ring.features & IORING_FEAT_MIN_TIMEOUT) != 0));
}
// [/walk]

// [walk probe]
// 2. The probe knows each operation's number. It knows nothing of an operation's flags.
void probe_operations(io_uring& ring) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) lab::skip("needs Linux 5.6: the probe");
  std::printf("probe: SEND_ZC: %s\n",
              yes_or_no(io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)));
  std::printf("probe: LISTEN: %s\n", yes_or_no(io_uring_opcode_supported(probe, IORING_OP_LISTEN)));
  std::printf("probe: PIPE: %s\n",
              yes_or_no(io_uring_opcode_supported(probe, lab::compat::op_pipe)));
  io_uring_free_probe(probe);
}
// [/walk]

// [walk query]
// 3. Since Linux 6.18 one call tells all of it, without a ring. liburing 2.9 does not know it yet,
// so its two structures are here (linux/io_uring/query.h).
void query() {
  struct {
    std::uint32_t operations, register_operations;
    std::uint64_t feature_flags, setup_flags, enter_flags, sqe_flags, reserved[2];
  } told{};
  struct {
    std::uint64_t next, data;
    std::uint32_t what, size;
    std::int32_t result;
    std::uint32_t reserved[3];
  } question{0, reinterpret_cast<std::uintptr_t>(&told), 0, sizeof told, 0, {}};
  if (syscall(SYS_io_uring_register, -1, lab::compat::register_query, &question, 0) < 0) {
    std::printf("skip query: needs Linux 6.18\n");
    return;
  }
  std::printf("query: more than 60 operations: %s, DEFER_TASKRUN: %s\n",
              yes_or_no(told.operations > 60),
              yes_or_no((told.setup_flags & IORING_SETUP_DEFER_TASKRUN) != 0));
}
// [/walk]

// [walk flag]
// 4. Try it. For a flag there is no other way: what a kernel does not know is -EINVAL.
void try_flag(io_uring& ring) {
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 1'000'000};
  io_uring_prep_timeout(io_uring_get_sqe(&ring), &time, 2, IORING_TIMEOUT_MULTISHOT);
  std::printf("try: a timeout that repeats: %s\n", yes_or_no(answer(ring) == -ETIME));
}
// [/walk]

// [walk fall-back]
// An operation may be there and not work on this file. So the answer is a reason to fall back, and
// not only the probe.
void try_and_fall_back(io_uring& ring) {
  int ends[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
  io_uring_prep_send_zc(io_uring_get_sqe(&ring), ends[0], "bytes", 5, 0, 0);
  const int res = answer(ring);
  std::printf("try: zero-copy send on a unix socket: %s\n",
              res < 0 ? std::strerror(-res) : "works");
  if (res == -EOPNOTSUPP || res == -EINVAL) {
    io_uring_prep_send(io_uring_get_sqe(&ring), ends[0], "bytes", 5, 0);
    answer(ring);
  }
  char received[8] = "";
  const ssize_t size = recv(ends[1], received, sizeof received, MSG_DONTWAIT);
  std::printf("received: %zd bytes\n", size < 0 ? 0 : size);
  for (const int fd : ends) close(fd);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  std::printf("set-up with an unknown flag: %s\n",
              std::strerror(-io_uring_queue_init(8, &ring, 1U << 31)));
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  look_at_features(ring);
  probe_operations(ring);
  query();
  try_flag(ring);
  try_and_fall_back(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
