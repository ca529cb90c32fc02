// Eight letters, two buffers, one ring. As it is, every letter gets a read at once, and reads of
// different letters are lent the same buffer. Combine what 01-03, 01-04 and this lesson taught.
#include <liburing.h>

#include "01-core/12-lifetime/check.hpp"

namespace {

void start_read(io_uring& ring, check::Buffer& buffer) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, buffer.letter->fd, buffer.bytes.data(), check::buffer_size, 0);
  // YOUR TURN 2 (01-03): whose CQE will this be?
}

void read_letters(io_uring& ring, check::Letters& letters, check::Buffers& buffers) {
  // YOUR TURN 1 (this lesson): there are two buffers, so two reads can be armed. When may the
  // third letter have a buffer, and which?
  for (std::size_t index = 0; index < letters.size(); ++index) {
    check::Buffer& buffer = buffers[index % buffers.size()];
    buffer.letter = &letters[index];
    start_read(ring, buffer);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");

  for (std::size_t index = 0; index < letters.size(); ++index) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const int res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    // YOUR TURN 3 (01-04): res may be a part of the letter, its end, or -errno.
    check::Buffer& buffer = buffers[index % buffers.size()];
    if (res > 0) letters[index].text.append(buffer.bytes.data(), static_cast<std::size_t>(res));
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_letters); }
