// shows: page faults moved out of the loop, what large pages save, and a slab against the heap
// needs: Linux 5.14 (MADV_POPULATE_WRITE); large pages where the machine has some
// try:   ./lab run 05-08; then MALLOC_TRIM_THRESHOLD_=100000000 ./lab run 05-08: what has changed?
#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "01-core/lesson.hpp"
#include "05-performance/knob.hpp"
#include "05-performance/lib/slab_pool.hpp"

namespace {

constexpr std::size_t arena_size = 8 << 20;
constexpr std::size_t large_page = 2 << 20;
constexpr unsigned page = 4096;
constexpr unsigned page_count = arena_size / page;
constexpr unsigned batch = 64;
constexpr std::size_t registered_size = 4 << 20;  // within an ordinary user's limit (ulimit -l)
constexpr unsigned connection_count = 1000;

struct Kind {
  const char* name;
  bool large;
  bool populated;
};
constexpr Kind at_first_use = {"4 KiB, at first use", false, false};
constexpr Kind populated = {"4 KiB, populated", false, true};
constexpr Kind large_pages = {"2 MiB, populated", true, true};

struct Machine {
  io_uring ring{};
  int zeros = -1;  // /dev/zero: whoever reads it gets memory filled, and nothing else is done
  char* arena = nullptr;  // addresses only; each round maps fresh memory there
};

struct Connection {
  std::array<char, 1024> state;
  explicit Connection(unsigned number) { state[0] = static_cast<char>(number); }
};

long faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Addresses that begin where a large page may begin.
char* reserve() {
  void* got = mmap(nullptr, arena_size + large_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) lab::need_errno(-1, "mmap");
  const auto address = reinterpret_cast<std::uintptr_t>(got);
  return static_cast<char*>(got) + (large_page - address % large_page) % large_page;
}

// [walk map]
// Fresh memory: what was there before is gone, its pages are given back.
void map(Machine& machine, const Kind& kind) {
  void* got = mmap(machine.arena, arena_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (got == MAP_FAILED) lab::need_errno(-1, "mmap");
  // Advice: a kernel that has no large pages to give takes small ones, and that is no error.
  madvise(got, arena_size, kind.large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  if (!kind.populated) return;
  const bool done = madvise(got, arena_size, MADV_POPULATE_WRITE) == 0;
  if (!done) lab::skip("needs Linux 5.14, and 8 MiB that are free: MADV_POPULATE_WRITE");
}
// [/walk]

// [walk fill]
// A message for each page, in batches.
void fill(Machine& machine) {
  for (unsigned done = 0; done < page_count; done += batch) {
    for (unsigned i = 0; i < batch; ++i) {
      char* buffer = machine.arena + std::size_t{done + i} * page;
      io_uring_prep_read(io_uring_get_sqe(&machine.ring), machine.zeros, buffer, page, 0);
    }
    lab::need(io_uring_submit_and_wait(&machine.ring, batch), "io_uring_submit_and_wait");
    for (unsigned i = 0; i < batch; ++i) {
      io_uring_cqe* cqe = nullptr;
      lab::need(io_uring_peek_cqe(&machine.ring, &cqe), "io_uring_peek_cqe");
      if (cqe->res != page) lab::fail("a short read");
      io_uring_cqe_seen(&machine.ring, cqe);
    }
  }
}
// [/walk]

lab::Round first_use(Machine& machine, const Kind& kind) {
  map(machine, kind);
  const double begin = lab::clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  fill(machine);
  return {page_count, (lab::clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) / page_count};
}

lab::Round registration(Machine& machine, char* memory) {
  const iovec buffer{.iov_base = memory, .iov_len = registered_size};
  lab::need(io_uring_register_buffers(&machine.ring, &buffer, 1), "io_uring_register_buffers");
  lab::need(io_uring_unregister_buffers(&machine.ring), "io_uring_unregister_buffers");
  return {};
}

// What a program does that looks into a message here and a message there.
lab::Round touches(const volatile char* memory) {
  constexpr unsigned count = 20'000;
  unsigned place = 1;
  for (unsigned i = 0; i < count; ++i) {
    place = place * 1'664'525 + 1'013'904'223 +
            static_cast<unsigned char>(
                memory[std::size_t{place >> 8} % page_count * page + (place >> 26) * 64]);
  }
  return {count};
}

// [walk waves]
// A wave of connections comes, and goes.
template <class Create, class Destroy>
lab::Round waves(std::vector<Connection*>& connections, Create create, Destroy destroy) {
  constexpr unsigned count = 4;
  const long before = faults();
  for (unsigned wave = 0; wave < count; ++wave) {
    for (Connection*& connection : connections) connection = create(wave);
    for (Connection* connection : connections) destroy(connection);
  }
  return {count * connection_count, static_cast<double>(faults() - before) / count};
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  Machine machine;
  lab::need(io_uring_queue_init(batch, &machine.ring, 0), "io_uring_queue_init");
  lesson.watch(machine.ring);
  machine.zeros = lab::need_errno(open("/dev/zero", O_RDONLY | O_CLOEXEC), "/dev/zero");
  machine.arena = reserve();
  first_use(machine, at_first_use);  // the program's own pages: not to be counted below
  lab::Knob used(lesson, {.name = "first_use",
                          .title = "Memory mapped, and 4 KiB read into each page",
                          .operation = "page",
                          .extra = "CPU ns per page, set-up left out"});
  std::printf("page faults of %u pages  in set-up  first use  second use\n", page_count);
  // [walk count]
  for (const Kind& kind : {at_first_use, populated, large_pages}) {
    const long begin = faults();
    map(machine, kind);
    const long mapped = faults();
    fill(machine);
    const long once = faults();
    fill(machine);
    std::printf("%-26s %8ld %10ld %11ld\n", kind.name, mapped - begin, once - mapped,
                faults() - once);
    used.add(kind.name, [&machine, kind] { return first_use(machine, kind); });
  }
  // [/walk]
  used.run();

  char* const large = machine.arena;
  map(machine, large_pages);
  char* const small = machine.arena = reserve();
  map(machine, populated);
  lab::Knob registered(lesson, {.name = "registering",
                                .title = "4 MiB registered as a fixed buffer, and unregistered",
                                .operation = "registration"});
  registered.add("4 KiB pages", [&] { return registration(machine, small); });
  registered.add("2 MiB pages", [&] { return registration(machine, large); });
  registered.run();
  lab::Knob touched(
      lesson,
      {.name = "touch", .title = "One byte read at a random place of 8 MiB", .operation = "touch"});
  touched.add("4 KiB pages", [&] { return touches(small); });
  touched.add("2 MiB pages", [&] { return touches(large); });
  touched.run();

  std::vector<Connection*> connections(connection_count);
  lab::SlabPool<Connection> pool(connection_count);
  lab::Knob waved(lesson, {.name = "waves",
                           .title = "1000 connections of 1 KiB come, and go",
                           .operation = "connection",
                           .extra = "page faults per wave"});
  waved.add("new, delete", [&] {
    return waves(
        connections, [](unsigned wave) { return new Connection(wave); },
        [](Connection* connection) { delete connection; });
  });
  // [walk pool]
  waved.add("SlabPool", [&] {
    return waves(
        connections, [&](unsigned wave) { return pool.create(wave); },
        [&](Connection* connection) { pool.destroy(connection); });
  });
  // [/walk]
  waved.run();
  std::printf("page faults of a wave of connections in a SlabPool: %g\n", waved.extra("SlabPool"));

  for (char* arena : {small, large}) munmap(arena, arena_size);
  io_uring_queue_exit(&machine.ring);
  close(machine.zeros);
  return lab::ok();
}
