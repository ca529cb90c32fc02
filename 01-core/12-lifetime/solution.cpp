// Eight letters, two buffers, one ring. A buffer is lent for one letter from its first read to the
// CQE that ends it, and goes to the next letter then.
#include <liburing.h>

#include "01-core/12-lifetime/check.hpp"

namespace {

void start_read(io_uring& ring, check::Buffer& buffer) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, buffer.letter->fd, buffer.bytes.data(), check::buffer_size, 0);
  io_uring_sqe_set_data(sqe, &buffer);
}

void read_letters(io_uring& ring, check::Letters& letters, check::Buffers& buffers) {
  std::size_t begun = 0;
  for (check::Buffer& buffer : buffers) {
    buffer.letter = &letters[begun++];
    start_read(ring, buffer);
  }
  for (std::size_t ended = 0; ended < letters.size();) {
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
    auto& buffer = *static_cast<check::Buffer*>(io_uring_cqe_get_data(cqe));
    const int res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    if (res > 0) {
      buffer.letter->text.append(buffer.bytes.data(), static_cast<std::size_t>(res));
    } else {
      ++ended;
      if (res < 0) buffer.letter->error = -res;
      if (begun == letters.size()) continue;
      buffer.letter = &letters[begun++];
    }
    start_read(ring, buffer);
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_letters); }
