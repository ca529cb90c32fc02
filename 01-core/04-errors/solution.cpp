// What became of a read? The submit says whether it began, the result says everything else.
#include <liburing.h>

#include "01-core/04-errors/check.hpp"

namespace {

// One read of `size` bytes at the file's beginning, and what became of it.
check::Outcome read_once(io_uring& ring, int fd, char* buffer, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, fd, buffer, size, 0);
  const int submitted = io_uring_submit(&ring);
  if (submitted < 0) return {check::What::not_submitted, -submitted};
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  if (res < 0) return {check::What::failed, -res};
  if (res == 0) return {check::What::at_the_end, 0};
  const bool whole = static_cast<unsigned>(res) == size;
  return {whole ? check::What::whole : check::What::short_read, 0};
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_once); }
