// Two threads answer requests: each is pinned, has a ring of its own, hands in whole batches, and
// takes the memory of its requests from a pool.
#include <liburing.h>

#include <array>
#include <cstdint>

#include "05-performance/11-core-per-ring/check.hpp"
#include "05-performance/lib/slab_pool.hpp"

namespace {

// What a thread counts. The two lie side by side in an array.
struct alignas(128) Tally {
  std::uint64_t sum = 0;
};

struct Request {
  std::array<unsigned char, check::request_size> memory;
};

void start(io_uring& ring, const check::Core& core, unsigned number, Request* request) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, core.file, request->memory.data(), check::request_size,
                     check::offset(core, number));
  io_uring_sqe_set_data(sqe, request);
}

void work(check::Core& core, Tally& tally) {
  lab::pin_to_cpu(core.cpu);
  io_uring ring;
  check::make_ring(ring);
  lab::SlabPool<Request> pool(check::depth);
  for (unsigned begun = 0; begun < check::requests;) {
    while (begun < check::requests && pool.free() > 0) start(ring, core, begun++, pool.create());
    check::submit_and_wait(ring, pool.used());
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      lab::need(cqe->res, "read");
      auto* request = static_cast<Request*>(io_uring_cqe_get_data(cqe));
      io_uring_cqe_seen(&ring, cqe);
      tally.sum += check::sum(request->memory);
      pool.destroy(request);
    }
  }
  io_uring_queue_exit(&ring);
}

}  // namespace

int main(int argc, char** argv) { return check::judge<Tally>(argc, argv, &work); }
