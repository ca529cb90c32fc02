#include "05-performance/ringio/iopoll_probe.hpp"

#include <fmt/format.h>
#include <liburing.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t block_size = 4096;
constexpr auto patience = 2s;

// Not a lab::Ring: that one insists on every result, and here one may never come.
int read_polled(io_uring& ring, const Fd& file, void* memory) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, file.get(), memory, block_size, 0);
  check(io_uring_submit(&ring), "io_uring_submit (--iopoll)");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring, &cqe) == 0) return cqe->res;
    io_uring_get_events(&ring);  // this is the looking
  }
  return -ETIME;
}

}  // namespace

void probe_iopoll(const Fd& file, const std::string& name) {
  io_uring ring{};
  check(io_uring_queue_init(1, &ring, IORING_SETUP_IOPOLL), "io_uring_setup (--iopoll)");
  void* memory = std::aligned_alloc(block_size, block_size);
  const int res = memory == nullptr ? -ENOMEM : read_polled(ring, file, memory);
  io_uring_queue_exit(&ring);
  if (res != -ETIME) std::free(memory);  // else it is the kernel's for ever
  if (res >= 0) return;
  throw std::runtime_error(fmt::format(
      "--iopoll: {} cannot be polled ({}). Its driver needs poll queues (NVMe: nvme.poll_queues=1 "
      "on the kernel's command line). Cure: without --iopoll",
      name, res == -ETIME ? "no answer within 2 s" : std::strerror(-res)));
}

}  // namespace lab
