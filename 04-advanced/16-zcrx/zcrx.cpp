// shows: receiving into memory that you chose, its registration, and how each buffer goes home
// needs: Linux 7.2, whose copy mode needs no NIC; zero copy itself: Linux 6.15 and a special NIC
// try:   ./lab run 04-16; where it skips, docs/kernels-in-a-box.md helps
#include <liburing.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "04-advanced/16-zcrx/uapi.hpp"

namespace {

constexpr std::size_t page = 4096;
constexpr unsigned pages_of_area = 4;
constexpr unsigned refill_entries = 8;
constexpr std::uint64_t offset_mask = (1ULL << zcrx::area_shift) - 1;

struct Receiver {
  io_uring ring{};
  char* pages = nullptr;    // the area: each piece that is received gets a page
  char* refills = nullptr;  // memory of the refill ring: head, tail, entries
  zcrx::Area area{};
  zcrx::Registration registration{};
  unsigned tail = 0;
};

struct Piece {
  int res;
  bool more;
  std::uint64_t offset;
};

char* map_pages(std::size_t count) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  void* memory = mmap(nullptr, count * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) lab::need_errno(-1, "mmap");
  return static_cast<char*>(memory);
}

int do_register(const Receiver& receiver, unsigned operation, void* argument, unsigned count) {
  const int fd = receiver.ring.ring_fd;
  return syscall(__NR_io_uring_register, fd, operation, argument, count) < 0 ? -errno : 0;
}

// [walk register]
// `device` is the number of a network device and `queue` one of its receive queues. From then on
// that queue belongs to this ring, and the NIC writes what comes on it into the area.
int register_area(Receiver& receiver, std::uint32_t device, std::uint32_t flags) {
  receiver.area = {};
  receiver.area.address = reinterpret_cast<std::uintptr_t>(receiver.pages);
  receiver.area.length = pages_of_area * page;
  io_uring_region_desc region{};
  region.user_addr = reinterpret_cast<std::uintptr_t>(receiver.refills);
  region.size = 2 * page;
  region.flags = IORING_MEM_REGION_TYPE_USER;
  zcrx::Registration& registration = receiver.registration;
  registration = {};
  registration.device = device;
  registration.queue = 0;
  registration.entries = refill_entries;
  registration.flags = flags;
  registration.area = reinterpret_cast<std::uintptr_t>(&receiver.area);
  registration.region = reinterpret_cast<std::uintptr_t>(&region);
  return do_register(receiver, zcrx::register_ifq, &registration, 1);
}
// [/walk]

// [walk receive]
void start_receive(Receiver& receiver, int fd) {
  io_uring_sqe* sqe = io_uring_get_sqe(&receiver.ring);
  // No address and no length: the kernel knows the area.
  io_uring_prep_rw(lab::compat::op_recv_zc, sqe, fd, nullptr, 0, 0);
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->file_index = receiver.registration.id;  // newer headers call this place zcrx_ifq_idx
  lab::need(io_uring_submit(&receiver.ring), "io_uring_submit");
}
// [/walk]

// [walk piece]
// The second half of the large CQE says where in the area the bytes are.
Piece next_piece(Receiver& receiver) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&receiver.ring, &cqe), "io_uring_wait_cqe");
  const Piece piece{cqe->res, (cqe->flags & IORING_CQE_F_MORE) != 0, cqe->big_cqe[0]};
  io_uring_cqe_seen(&receiver.ring, cqe);
  return piece;
}

std::string_view bytes_of(const Receiver& receiver, const Piece& piece) {
  return {receiver.pages + (piece.offset & offset_mask), static_cast<std::size_t>(piece.res)};
}
// [/walk]

void print(const Receiver& receiver, const Piece& piece) {
  const char* end = piece.more ? "" : ", the last CQE";
  if (piece.res < 0) std::printf("res %d: %s%s\n", piece.res, std::strerror(-piece.res), end);
  if (piece.res == 0) std::printf("res 0: FIN%s\n", end);
  if (piece.res <= 0) return;
  const std::string text(bytes_of(receiver, piece));
  std::printf("res %d: \"%s\"%s\n", piece.res, text.c_str(), end);
  std::printf("# \"%s\" lies in page %llu\n", text.c_str(),
              static_cast<unsigned long long>((piece.offset & offset_mask) / page));
}

// [walk give-back]
// From the store on, the page is the kernel's again: it may be written at any time.
void give_back(Receiver& receiver, const Piece& piece) {
  const zcrx::Offsets& at = receiver.registration.at;
  auto* entries = reinterpret_cast<zcrx::Refill*>(receiver.refills + at.refills);
  zcrx::Refill& entry = entries[receiver.tail & (receiver.registration.entries - 1)];
  entry.offset = (piece.offset & offset_mask) | receiver.area.token;
  entry.length = static_cast<std::uint32_t>(piece.res);
  auto* tail = reinterpret_cast<unsigned*>(receiver.refills + at.tail);
  io_uring_smp_store_release(tail, ++receiver.tail);
}
// [/walk]

void print_refills(const Receiver& receiver, const char* when) {
  auto* head = reinterpret_cast<unsigned*>(receiver.refills + receiver.registration.at.head);
  std::printf("refill ring %s: head %u, tail %u\n", when, io_uring_smp_load_acquire(head),
              receiver.tail);
}

// A NIC's driver takes refills when it needs pages. Without a device somebody has to ask for it.
void flush(const Receiver& receiver) {
  zcrx::Control control{};
  control.id = receiver.registration.id;
  control.operation = zcrx::flush_refills;
  lab::need(do_register(receiver, zcrx::register_control, &control, 0), "the flush");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  // [walk setup]
  Receiver receiver;
  const unsigned flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQE32;
  lab::need(io_uring_queue_init(8, &receiver.ring, flags), "io_uring_queue_init");
  lesson.watch(receiver.ring);
  receiver.pages = map_pages(pages_of_area);
  receiver.refills = map_pages(2);
  // [/walk]

  const int refused = register_area(receiver, if_nametoindex("lo"), 0);
  std::printf("lo as the device: %s\n", std::strerror(-refused));
  if (refused == -EINVAL) lab::skip("needs Linux 6.15 for the registration");
  if (refused == -EPERM) lab::skip("needs root, or CAP_NET_ADMIN");
  const int made = register_area(receiver, 0, zcrx::without_device);
  std::printf("no device, all is copied: %s\n", made < 0 ? std::strerror(-made) : "registered");
  if (made == -EINVAL) lab::skip("needs a NIC with header split, or Linux 7.2 and its copy mode");
  lab::need(made, "the registration");

  // [walk messages]
  const auto [server, client] = lab::connected_pair();
  start_receive(receiver, server);
  lab::send_all(client, "one");
  const Piece first = next_piece(receiver);
  print(receiver, first);
  for (const std::string_view text : {"two", "three", "four", "five"}) {
    lab::send_all(client, text);
    print(receiver, next_piece(receiver));
  }
  // [/walk]

  // [walk again]
  const std::string kept(bytes_of(receiver, first));
  give_back(receiver, first);
  print_refills(receiver, "after one refill");
  flush(receiver);
  print_refills(receiver, "after the flush");
  start_receive(receiver, server);
  print(receiver, next_piece(receiver));
  std::printf("kept of the first: \"%.*s\"\n", static_cast<int>(kept.size()), kept.data());
  // [/walk]
  close(client);
  print(receiver, next_piece(receiver));
  close(server);
  io_uring_queue_exit(&receiver.ring);
  munmap(receiver.pages, pages_of_area * page);
  munmap(receiver.refills, 2 * page);
  return lab::ok();
}
