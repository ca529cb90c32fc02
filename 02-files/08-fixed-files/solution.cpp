// Six files and a table of two slots: a file is in the table, and nowhere else.
#include <liburing.h>
#include <unistd.h>

#include "02-files/08-fixed-files/check.hpp"

namespace {

// Puts `fd` into the slot, reads up to `size` bytes of it, and leaves the slot empty and the
// descriptor closed. Returns the result of the read.
int read_through(io_uring& ring, int slot, int fd, char* buffer, unsigned size) {
  lab::need(io_uring_register_files_update(&ring, static_cast<unsigned>(slot), &fd, 1), "update");
  close(fd);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, slot, buffer, size, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  const int nothing = -1;
  lab::need(io_uring_register_files_update(&ring, static_cast<unsigned>(slot), &nothing, 1),
            "update");
  return res;
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_through); }
