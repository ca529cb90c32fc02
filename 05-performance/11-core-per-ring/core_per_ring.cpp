// shows: a ring per core: connections steered to it, and what sharing a line or a ring costs
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN), two processors
// try:   ./lab run 05-11; then pin both threads of on_each_cpu() to cpus[0]: what is left of it?
#include <liburing.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/lib/listener.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "05-performance/lib/ring_preset.hpp"

namespace {

constexpr unsigned connects_per_cpu = 32;
constexpr unsigned thousands = 500;   // of increments, by each thread
constexpr unsigned nop_count = 4000;  // by each thread

using Cpus = std::vector<int>;  // of the two first ones each has a ring

io_uring_params make_ring(io_uring& ring, const lab::RingOptions& options) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = options.cq_entries;
  const int made = io_uring_queue_init_params(options.sq_entries, &ring, &params);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init_params");
  return params;
}

void show_preset(const char* role, const lab::RingOptions& options) {
  io_uring ring;
  const io_uring_params granted = make_ring(ring, options);
  std::printf("%s: SQ %u, CQ %u\n", role, granted.sq_entries, granted.cq_entries);
  io_uring_queue_exit(&ring);
}

// [walk serve]
// A core's ring and listener, used by this thread and by no other. Each connection is told where
// it landed.
void serve(int cpu, int listener, char ring_number) {
  lab::pin_to_cpu(cpu);
  io_uring ring;  // made by the thread that uses it, after the pinning: its memory is near the core
  make_ring(ring, lab::RingPreset::server(256));
  io_uring_prep_multishot_accept(io_uring_get_sqe(&ring), listener, nullptr, nullptr, 0);
  for (bool armed = true; armed;) {
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
      if (cqe->res >= 0) lab::send_all(cqe->res, {&ring_number, 1});
      if (cqe->res >= 0) close(cqe->res);
      io_uring_cqe_seen(&ring, cqe);
    }
  }
  io_uring_queue_exit(&ring);
}
// [/walk]

// [walk steer]
// Loads the number of the processor that handles the SYN, compares, and answers with a place in the
// group of listeners. The kernel runs it once per connection.
void steer(int listener, const Cpus& cpus) {
  const auto cpu_number = static_cast<unsigned>(SKF_AD_OFF + SKF_AD_CPU);
  const auto second_cpu = static_cast<unsigned>(cpus[1]);
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, cpu_number),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second_cpu, 0, 1),  // else: skip 1
                           BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog attached{.len = std::size(program), .filter = program};
  constexpr int option = SO_ATTACH_REUSEPORT_CBPF;
  lab::need_errno(setsockopt(listener, SOL_SOCKET, option, &attached, sizeof attached), "steer");
}
// [/walk]

// On loopback the SYN is handled where it was sent, so each client runs on the core that it is for.
void connect_from_each(const Cpus& cpus, std::uint16_t port, const char* how) {
  for (const std::size_t from : {0U, 1U}) {
    std::array<unsigned, 2> landed{};
    std::thread client([&] {
      lab::pin_to_cpu(cpus[from]);
      for (unsigned i = 0; i < connects_per_cpu; ++i) {
        const int fd = lab::connect_to(port);
        const std::string ring_number = lab::receive(fd, 1);
        if (ring_number.empty()) lab::fail("a connection was closed without an answer");
        ++landed[static_cast<unsigned char>(ring_number[0])];
        close(fd);
      }
    });
    client.join();
    std::printf("%s, core %zu: %u to ring 0, %u to ring 1\n", how, from, landed[0], landed[1]);
  }
}

// [walk group]
// The place in the group is the order of listen().
void show_steering(const Cpus& cpus) {
  const lab::Listener first({.reuse_port = true});
  const lab::Listener second({.port = first.port(), .reuse_port = true});
  std::thread core_0([&] { serve(cpus[0], first.fd(), 0); });
  std::thread core_1([&] { serve(cpus[1], second.fd(), 1); });
  connect_from_each(cpus, first.port(), "# hash");
  steer(first.fd(), cpus);
  connect_from_each(cpus, first.port(), "steered");
  for (const int fd : {first.fd(), second.fd()}) shutdown(fd, SHUT_RD);  // ends the accepts
  core_0.join();
  core_1.join();
}
// [/walk]

// Runs work(0) and work(1) at the same time, each on a core of its own.
template <class Work>
void on_each_cpu(const Cpus& cpus, Work work) {
  std::latch both_there(2);
  const auto run = [&](std::size_t place) {
    lab::pin_to_cpu(cpus[place]);
    both_there.arrive_and_wait();
    work(place);
  };
  std::thread other(run, 1);
  std::thread(run, 0).join();
  other.join();
}

// [walk alone]
// A counter for each thread, `distance` bytes apart. volatile, or the compiler would add once for
// the whole loop.
lab::Round count_alone(const Cpus& cpus, std::size_t distance) {
  alignas(128) std::array<volatile std::uint64_t, 32> counters{};
  on_each_cpu(cpus, [&](std::size_t place) {
    volatile std::uint64_t& counter = counters[place * distance / sizeof counter];
    for (unsigned i = 0; i < thousands * 1000; ++i) counter = counter + 1;
  });
  return {2 * thousands};
}
// [/walk]

lab::Round count_together(const Cpus& cpus) {
  std::atomic<std::uint64_t> counter = 0;
  on_each_cpu(cpus, [&](std::size_t) {
    for (unsigned i = 0; i < thousands * 1000; ++i) counter.fetch_add(1, std::memory_order_relaxed);
  });
  return {2 * thousands};
}

// [walk shared]
// The lock has to cover both ends: with the SQE alone, the other thread may find this one's CQE.
lab::Round nops(const Cpus& cpus, std::array<io_uring, 2>& rings, std::mutex* lock) {
  on_each_cpu(cpus, [&](std::size_t place) {
    io_uring& ring = rings[lock != nullptr ? 0 : place];
    for (unsigned i = 0; i < nop_count; ++i) {
      if (lock != nullptr) lock->lock();
      io_uring_prep_nop(io_uring_get_sqe(&ring));
      lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
      io_uring_cq_advance(&ring, 1);
      if (lock != nullptr) lock->unlock();
    }
  });
  return {2 * nop_count};
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  const Cpus cpus = lab::allowed_cpus();
  if (cpus.size() < 2) lab::skip("needs two processors");
  std::string rps_mask;  // where it is set, another processor may handle the SYN than the sender's
  std::ifstream("/sys/class/net/lo/queues/rx-0/rps_cpus") >> rps_mask;
  const bool spread = rps_mask.find_first_not_of("0,") != std::string::npos;
  if (spread) lab::skip("needs a loopback without RPS: set lo's rps_cpus to 0");

  show_preset("server, 2048 buffers", lab::RingPreset::server(2048));
  show_preset("file I/O, depth 32, 8 a call", lab::RingPreset::file_io({.depth = 32, .submit = 8}));
  show_steering(cpus);

  lab::Knob counters(
      lesson, {.name = "sharing", .title = "Two threads count", .operation = "1000 increments"});
  counters.add("own, 128 bytes apart", [&] { return count_alone(cpus, 128); });
  counters.add("own, 8 bytes apart", [&] { return count_alone(cpus, 8); });
  counters.add("one for both", [&] { return count_together(cpus); });
  counters.run();

  // Ordinary rings both times: one that two threads use cannot have SINGLE_ISSUER.
  std::array<io_uring, 2> rings;
  for (io_uring& ring : rings) lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(rings[0]);
  std::mutex lock;
  lab::Knob knob(lesson, {.name = "rings", .title = "Two threads, NOPs", .operation = "NOP"});
  knob.add("a ring each", [&] { return nops(cpus, rings, nullptr); });
  knob.add("one ring, a lock", [&] { return nops(cpus, rings, &lock); });
  knob.run();
  for (io_uring& ring : rings) io_uring_queue_exit(&ring);
  return lab::ok();
}
