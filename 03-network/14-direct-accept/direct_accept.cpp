// shows: connections that live in the ring's table only, and a slot that changes its owner
// needs: Linux 5.19
// try:   ./lab run 03-14; then let Bob stay, and see what Carol's accept answers
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>

#include "03-network/loopback.hpp"

namespace {

constexpr unsigned slots = 2;

// The accept stays armed, so its CQEs have to be told from those of the connections.
constexpr __u64 accept_mark = 1;
constexpr __u64 connection_mark = 2;

// [walk slot]
// What we know of a slot. The number alone does not say whose connection it is: `generation` counts
// the connections that the slot has had.
struct Slot {
  unsigned generation = 0;
  bool open = false;
};

// A reply that takes a while. It remembers for whom it is: the slot, and which connection there.
struct LateReply {
  int slot;
  unsigned generation;
  std::string text;
};
// [/walk]

std::array<Slot, slots> table;

long open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return std::distance(begin(folder), end(folder));
}

// In a thread of its own: the accept's completion interrupts whatever this thread, which owns the
// ring, blocks in, and connect() would end with EINTR.
int connect_beside(std::uint16_t port) {
  int fd = -1;
  lab::ClientThread([&fd, port] { fd = lab::connect_to(port); }).join();
  return fd;
}

// Submits what is prepared and waits for one CQE, which has to be of the expected kind.
int result(io_uring& ring, __u64 mark) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (io_uring_cqe_get_data64(cqe) != mark) lab::fail("a CQE of another operation");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

// [walk accepted]
// The multishot accept is armed: a new connection is one more CQE, and its res is a slot.
int accepted(io_uring& ring) {
  const int slot = lab::need(result(ring, accept_mark), "accept");
  Slot& taken = table.at(static_cast<unsigned>(slot));
  ++taken.generation;
  taken.open = true;
  return slot;
}
// [/walk]

// [walk receive]
// Without IOSQE_FIXED_FILE the kernel would read `slot` as a descriptor, and 1 is our stdout.
std::string receive(io_uring& ring, int slot) {
  std::string text(64, '\0');
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, slot, text.data(), text.size(), 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, connection_mark);
  text.resize(static_cast<std::size_t>(lab::need(result(ring, connection_mark), "recv")));
  return text;
}
// [/walk]

void send(io_uring& ring, int slot, const std::string& text) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, slot, text.data(), text.size(), MSG_WAITALL);
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, connection_mark);
  lab::need(result(ring, connection_mark), "send");
}

// [walk close]
// close() knows no slots; this operation empties one. It sends the FIN, as close() would; before
// Linux 6.13 perhaps much later.
void close_slot(io_uring& ring, int slot) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_close_direct(sqe, static_cast<unsigned>(slot));
  io_uring_sqe_set_data64(sqe, connection_mark);
  table.at(static_cast<unsigned>(slot)).open = false;
  std::printf("slot %d closed: res %d\n", slot, result(ring, connection_mark));
}
// [/walk]

// [walk deliver]
void deliver(io_uring& ring, const LateReply& reply) {
  const Slot& now = table.at(static_cast<unsigned>(reply.slot));
  if (!now.open || now.generation != reply.generation) {
    std::printf("the reply for slot %d is dropped: its connection is gone\n", reply.slot);
    return;
  }
  send(ring, reply.slot, reply.text);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int sparse = io_uring_register_files_sparse(&ring, slots);
  if (sparse == -EINVAL) lab::skip("needs Linux 5.19: a sparse file table");
  lab::need(sparse, "io_uring_register_files_sparse");
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);

  // [walk arm]
  // The kernel picks an empty slot for each connection. No descriptor is made.
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_multishot_accept_direct(sqe, listener, nullptr, nullptr, 0);
  io_uring_sqe_set_data64(sqe, accept_mark);
  // [/walk]
  const long descriptors_before = open_descriptors();
  const int ann = connect_beside(port);
  std::printf("Ann is in slot %d\n", accepted(ring));
  const int bob = connect_beside(port);
  const int slot = accepted(ring);
  std::printf("Bob is in slot %d\n", slot);
  std::printf("new descriptors: %ld, our two clients'\n", open_descriptors() - descriptors_before);

  lab::send_all(bob, "my balance?");
  std::printf("Bob asks: %s\n", receive(ring, slot).c_str());
  // [walk story]
  const LateReply reply{slot, table[1].generation, "Bob has 7 coins"};

  // Before it is ready Bob leaves, and Carol comes.
  close(bob);
  std::printf("Bob's stream ended: %zu bytes\n", receive(ring, slot).size());
  close_slot(ring, slot);
  const int carol = connect_beside(port);
  const int carols_slot = accepted(ring);
  std::printf("Carol is in slot %d\n", carols_slot);

  deliver(ring, reply);
  deliver(ring, {carols_slot, table[1].generation, "Welcome, Carol!"});
  std::printf("Carol reads: %s\n", lab::receive(carol, 15).c_str());
  // [/walk]

  close(ann);
  close(carol);
  close(listener);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
