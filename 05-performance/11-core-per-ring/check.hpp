// Judges the exercise of 05-performance/11-core-per-ring: two threads answer 4096 requests each.
// It counts calls, allocations and rings, and looks at no clock. Nobody edits this file.
#pragma once

#include <liburing.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "01-core/lesson.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace check {

inline constexpr unsigned cores = 2;
inline constexpr unsigned requests = 4096;    // of each core
inline constexpr unsigned request_size = 64;  // bytes
inline constexpr unsigned depth = 64;         // requests that a ring has room for
inline constexpr unsigned calls_max = requests / 16;
inline constexpr unsigned allocations_max = 16;  // for the set-up
inline constexpr std::size_t cache_lines = 128;  // many processors fetch two lines at a time

/// What a thread has, and what was seen of it.
struct Core {
  unsigned number = 0;
  int cpu = 0;    // where it should run
  int file = -1;  // where its requests read

  unsigned calls = 0;
  unsigned allocations = 0;
  unsigned rings = 0;
  int ring_fd = -1;
  bool was_pinned = false;  // when its ring was made
  bool foreign = false;     // it has used a ring that another thread made
};
inline thread_local Core* here = nullptr;

/// Where a request of this core begins in the file, in bytes.
inline std::uint64_t offset(const Core& core, unsigned request) {
  return std::uint64_t{request_size} * (cores * request + core.number);
}

/// What one request is about: the sum of its bytes.
inline std::uint64_t sum(const std::array<unsigned char, request_size>& memory) {
  std::uint64_t total = 0;
  for (const unsigned char byte : memory) total += byte;
  return total;
}

/// Makes a ring with room for check::depth requests.
inline void make_ring(io_uring& ring) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  // EINVAL: a machine with more processors than the mask has. Then nobody can tell.
  const bool told = sched_getaffinity(0, sizeof mask, &mask) == 0;
  here->was_pinned = !told || CPU_COUNT(&mask) == 1;
  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int made = io_uring_queue_init(depth, &ring, flags);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init");
  here->ring_fd = ring.ring_fd;
  ++here->rings;
}

/// One ring for everybody, and its lock.
inline std::mutex lock;
inline io_uring& shared_ring() {
  static io_uring ring = [] {
    io_uring made;
    lab::need(io_uring_queue_init(depth, &made, 0), "io_uring_queue_init");
    return made;
  }();
  return ring;
}

/// io_uring_submit_and_wait(), counted.
inline void submit_and_wait(io_uring& ring, unsigned count) {
  ++here->calls;
  if (ring.ring_fd != here->ring_fd) here->foreign = true;
  lab::need(io_uring_submit_and_wait(&ring, count), "io_uring_submit_and_wait");
}

inline unsigned char byte_at(std::uint64_t place) {
  return static_cast<unsigned char>(place * 31 + place / 251);
}

inline int make_file() {
  const int file = lab::need_errno(memfd_create("requests", MFD_CLOEXEC), "memfd_create");
  std::vector<unsigned char> bytes(std::size_t{cores} * requests * request_size);
  for (std::size_t place = 0; place < bytes.size(); ++place) bytes[place] = byte_at(place);
  lab::need_errno(static_cast<int>(write(file, bytes.data(), bytes.size())), "write");
  return file;
}

inline std::uint64_t wanted_sum(const Core& core) {
  std::uint64_t total = 0;
  for (unsigned request = 0; request < requests; ++request) {
    for (unsigned byte = 0; byte < request_size; ++byte) {
      total += byte_at(offset(core, request) + byte);
    }
  }
  return total;
}

inline void judge(const Core& core, std::uint64_t sum) {
  const std::string name = "core " + std::to_string(core.number) + ": ";
  const std::uint64_t wanted = wanted_sum(core);
  if (sum != wanted) {
    lab::fail(name + "the sum is " + std::to_string(sum) + ", not " + std::to_string(wanted),
              "each request once, and its memory is read after its CQE and before it is used for "
              "another one");
  }
  if (core.rings != 1 || core.foreign) {
    lab::fail(name + "it has used a ring that is not its own",
              "check::make_ring(), in the thread that uses the ring; then no lock is needed "
              "(YOUR TURN 1)");
  }
  if (!core.was_pinned) {
    lab::fail(name + "its ring was made when it was not pinned yet",
              "lab::pin_to_cpu(core.cpu) comes first: then the ring's memory is near "
              "(YOUR TURN 1)");
  }
  if (core.calls > calls_max) {
    lab::fail(name + std::to_string(core.calls) + " system calls for " + std::to_string(requests) +
                  " requests; " + std::to_string(calls_max) + " are allowed",
              "prepare all that there is room for, then one call for all of it (YOUR TURN 2)");
  }
  if (core.allocations > allocations_max) {
    lab::fail(name + std::to_string(core.allocations) + " allocations; " +
                  std::to_string(allocations_max) + " are allowed, for the set-up",
              "a SlabPool of check::depth requests, made before the loop (YOUR TURN 3)");
  }
  std::printf("# core %u: %u calls, %u allocations\n", core.number, core.calls, core.allocations);
}

/// @tparam Tally what a thread counts in, with a field `sum`
template <class Tally>
int judge(int argc, char** argv, void (*work)(Core& core, Tally& tally)) {
  lab::Lesson lesson(argc, argv);
  std::printf("%u threads, %u requests each\n", cores, requests);
  const std::vector<int> cpus = lab::allowed_cpus();
  const int file = make_file();
  std::array<Core, cores> all;
  std::array<Tally, cores> tallies;
  std::array<std::thread, cores> threads;
  for (unsigned number = 0; number < cores; ++number) {
    all[number] = {.number = number, .cpu = cpus[number % cpus.size()], .file = file};
    threads[number] = std::thread([&core = all[number], &tally = tallies[number], work] {
      here = &core;
      work(core, tally);
      here = nullptr;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (unsigned number = 0; number < cores; ++number) judge(all[number], tallies[number].sum);
  if (sizeof(Tally) % cache_lines != 0 || alignof(Tally) % cache_lines != 0) {
    lab::fail("the two tallies are " + std::to_string(sizeof(Tally)) +
                  " bytes apart: two threads write to one cache line",
              "alignas(128), so that they share none (YOUR TURN 1)");
  }
  close(file);
  std::printf("a ring each, pinned, in batches, without an allocation in the loop\n");
  return lab::ok();
}

}  // namespace check

// Counted for each thread. What the library allocates by malloc() is not.
void* operator new(std::size_t size) {
  if (check::here != nullptr) ++check::here->allocations;
  if (void* memory = std::malloc(size); memory != nullptr) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
