// shows: rings that live in memory of your own, and a ring without a descriptor
// needs: Linux 6.5
// try:   ./lab run 04-13; then give the rings 256 entries: how many bytes do they take?
#include <liburing.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"
#include "02-files/lib/huge_arena.hpp"

namespace {

constexpr unsigned entries = 64;

long descriptors() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

long ring_mappings() {
  std::ifstream maps("/proc/self/maps");
  long count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find("[io_uring]") != std::string::npos ? 1 : 0;
  }
  return count;
}

void show(const char* what, long descriptors_before) {
  std::printf("%s: descriptors %+ld, mappings %ld\n", what, descriptors() - descriptors_before,
              ring_mappings());
}

// [walk place]
// Returns how many bytes the ring took, from the front of `memory`; a whole number of pages.
int place(io_uring& ring, std::span<std::byte> memory, unsigned flags) {
  io_uring_params params{};
  params.flags = flags;  // liburing adds IORING_SETUP_NO_MMAP
  return io_uring_queue_init_mem(entries, &ring, &params, memory.data(), memory.size());
}
// [/walk]

// [walk nop]
void nop(io_uring& ring, const char* who) {
  io_uring_prep_nop(io_uring_get_sqe(&ring));
  const int taken = lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  const bool answered = io_uring_peek_cqe(&ring, &cqe) == 0;
  std::printf("%s: %d submitted, %s\n", who, taken, answered ? "answered" : "no answer");
  if (answered) io_uring_cqe_seen(&ring, cqe);
}
// [/walk]

void show_plain(long before) {
  io_uring ring;
  lab::need(io_uring_queue_init(entries, &ring, 0), "io_uring_queue_init");
  show("plain ring", before);
  io_uring_queue_exit(&ring);
}

void show_ours(lab::Lesson& lesson, std::span<std::byte> memory, long before) {
  io_uring ring;
  const int bytes = place(ring, memory, 0);
  if (bytes == -EINVAL) lab::skip("needs Linux 6.5: IORING_SETUP_NO_MMAP");
  lab::need(bytes, "io_uring_queue_init_mem");
  lesson.watch(ring);
  show("ring in our memory", before);
  // [walk ours]
  const auto* tail = reinterpret_cast<const std::byte*>(ring.sq.ktail);
  const bool inside = tail >= memory.data() && tail < memory.data() + bytes;
  std::printf("  the tail of its SQ lies there: %s\n", inside ? "yes" : "no");

  // The index that stands for the descriptor is enough. Nothing else needs the descriptor.
  lab::need(io_uring_register_ring_fd(&ring), "io_uring_register_ring_fd");
  lab::need(io_uring_close_ring_fd(&ring), "io_uring_close_ring_fd");
  show("its descriptor registered, then closed", before);
  nop(ring, "  a NOP");
  // [/walk]
  io_uring_queue_exit(&ring);
}

void show_without_descriptor(std::span<std::byte> memory, long before) {
  io_uring ring;
  // [walk without]
  lab::need(place(ring, memory, IORING_SETUP_REGISTERED_FD_ONLY), "io_uring_queue_init_mem");
  show("a ring without a descriptor, in our memory", before);
  nop(ring, "  a NOP");

  // The number that stands for the ring is an index into a table of this thread.
  std::thread([&ring] {
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    std::printf("  another thread submits: %s\n", std::strerror(-io_uring_submit(&ring)));
  }).join();
  // [/walk]
  io_uring_queue_exit(&ring);
}

// [walk three]
// The next ring begins where the one before it ends.
void show_three(std::span<std::byte> memory) {
  io_uring rings[3];
  std::size_t used = 0;
  for (io_uring& ring : rings) {
    const int bytes = lab::need(place(ring, memory.subspan(used), 0), "io_uring_queue_init_mem");
    used += static_cast<std::size_t>(bytes);
  }
  std::printf("three rings of %u entries: %zu bytes\n", entries, used);
  for (io_uring& ring : rings) nop(ring, "  a NOP on each");
  for (io_uring& ring : rings) io_uring_queue_exit(&ring);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::HugeArena arena(std::size_t{2} << 20);
  const std::span<std::byte> memory = arena.memory();
  std::printf("# the memory: %s\n", arena.pages_name());
  const long before = descriptors();
  show_plain(before);
  // Each has a part of its own: a ring that was closed is taken apart later, in the background.
  constexpr std::size_t part = 256 << 10;
  show_ours(lesson, memory.first(part), before);
  show_without_descriptor(memory.subspan(part, part), before);
  show_three(memory.subspan(2 * part, part));

  // [walk refusals]
  const std::span<std::byte> rest = memory.subspan(3 * part);
  io_uring ring;
  std::printf("memory that begins in the middle of a page: %s\n",
              std::strerror(-place(ring, rest.subspan(64), 0)));
  std::printf("too little memory: %s\n", std::strerror(-place(ring, rest.first(4096), 0)));
  const int refused = io_uring_queue_init(entries, &ring, IORING_SETUP_REGISTERED_FD_ONLY);
  std::printf("no descriptor, and the kernel's memory: %s\n", std::strerror(-refused));
  // [/walk]
  return lab::ok();
}
