// shows: a buffer is the kernel's from submit until the CQE: used again earlier, an old read
//        overwrites it; used again at the CQE, it is safe. An iovec is yours again after submit
// needs: Linux 5.6
// try:   ./lab run 01-12; then let the order go into buffers[0] and run it again
#include <fcntl.h>
#include <liburing.h>
#include <sanitizer/asan_interface.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned buffer_size = 64;

// Holds whatever its owner needs for a while. Aligned, because the poison below works in steps of 8
// bytes.
struct Buffer {
  alignas(8) std::array<char, buffer_size> bytes{};
};

// [walk lend]
// From here on the bytes are the kernel's. In the asan build a program that touches them is stopped
// with a stack trace; in other builds the macro does nothing.
void lend(Buffer& buffer) { ASAN_POISON_MEMORY_REGION(buffer.bytes.data(), buffer_size); }

// The CQE has come: the bytes are ours again.
void take_back(Buffer& buffer) { ASAN_UNPOISON_MEMORY_REGION(buffer.bytes.data(), buffer_size); }
// [/walk]

// [walk arm]
void arm_read(io_uring& ring, int pipe_out, Buffer& buffer) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, pipe_out, buffer.bytes.data(), buffer_size, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

void write_order(Buffer& buffer) {
  std::snprintf(buffer.bytes.data(), buffer_size, "order 17: 3 apples");
}

void write_late(int pipe_in) {
  const std::string_view late = "LATE BYTES";
  lab::need_errno(static_cast<int>(write(pipe_in, late.data(), late.size())), "write");
}

// [walk wait]
int wait_for_read(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}
// [/walk]

// [walk early]
// Wrong on purpose. The read is armed, but nobody is interested in it any more, so the buffer is
// used for something else. The kernel does not know what we are interested in.
void use_again_too_early(io_uring& ring, int pipe_out, int pipe_in) {
  Buffer buffer;
  arm_read(ring, pipe_out, buffer);
  write_order(buffer);
  std::printf("used again before the CQE: \"%s\"\n", buffer.bytes.data());
  write_late(pipe_in);
  const int res = wait_for_read(ring);
  std::printf("after the CQE (res %d):    \"%s\"\n", res, buffer.bytes.data());
}
// [/walk]

// [walk right]
// Right. Until the CQE the buffer is lent, and the order goes elsewhere.
void use_again_at_the_cqe(io_uring& ring, int pipe_out, int pipe_in) {
  std::array<Buffer, 2> buffers;
  arm_read(ring, pipe_out, buffers[0]);
  lend(buffers[0]);
  Buffer& order = buffers[1];
  write_order(order);
  write_late(pipe_in);
  const int res = wait_for_read(ring);
  take_back(buffers[0]);
  std::printf("order, in its own buffer:  \"%s\"\n", order.bytes.data());
  std::printf("read, res %d:              \"%.*s\"\n", res, res, buffers[0].bytes.data());
}
// [/walk]

// [walk iovec]
// An iovec holds no data: it says where the data should go. When submit returns the kernel has
// copied it, so it may change or die then.
void change_the_iovec(io_uring& ring, int pipe_out, int pipe_in) {
  Buffer meant, other;
  iovec place{.iov_base = meant.bytes.data(), .iov_len = buffer_size};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_readv(sqe, pipe_out, &place, 1, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  place.iov_base = other.bytes.data();
  write_late(pipe_in);
  wait_for_read(ring);
  std::printf("iovec changed after submit: meant \"%s\", other \"%s\"\n", meant.bytes.data(),
              other.bytes.data());
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  if ((ring.features & IORING_FEAT_SUBMIT_STABLE) == 0) lab::skip("needs Linux 5.5: SUBMIT_STABLE");
  std::array<int, 2> ends{};
  lab::need_errno(pipe(ends.data()), "pipe");

  use_again_too_early(ring, ends[0], ends[1]);
  use_again_at_the_cqe(ring, ends[0], ends[1]);
  change_the_iovec(ring, ends[0], ends[1]);

  close(ends[0]);
  close(ends[1]);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
