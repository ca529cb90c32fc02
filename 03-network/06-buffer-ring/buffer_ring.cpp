// shows: three connections that wait with two buffers; the kernel picks one when bytes arrive, and
//        a lease gives it back; what happens when there is none left
// needs: Linux 5.19
// try:   ./lab run 03/06; then give the leases back in the other order and predict the last buffer
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffers_count = 2;
constexpr unsigned buffer_size = 64;
constexpr int group = 1;  // a ring can have several groups of buffers; an SQE names one of them

// [walk buffers]
// The memory, and the queue of entries (address, length, id) in which we offer it to the kernel.
struct Buffers {
  explicit Buffers(io_uring& ring) {
    int error = 0;
    entries = io_uring_setup_buf_ring(&ring, buffers_count, group, 0, &error);
    if (error == -EINVAL) lab::skip("needs Linux 5.19: provided buffer rings");
    if (entries == nullptr) lab::need(error, "io_uring_setup_buf_ring");
    for (unsigned id = 0; id < buffers_count; ++id) provide(id);
  }

  // Puts one buffer at the end of the queue. From here on its bytes are the kernel's.
  void provide(unsigned id) {
    io_uring_buf_ring_add(entries, memory.at(id).data(), buffer_size,
                          static_cast<std::uint16_t>(id), io_uring_buf_ring_mask(buffers_count), 0);
    io_uring_buf_ring_advance(entries, 1);
  }

  io_uring_buf_ring* entries = nullptr;
  std::array<std::array<char, buffer_size>, buffers_count> memory{};
};
// [/walk]

// [walk lease]
// The right to read one buffer. When it dies it gives the buffer back.
class Lease {
 public:
  Lease(Buffers& buffers, unsigned id, int length)
      : buffers_(buffers), id_(id), length_(static_cast<std::size_t>(length)) {}
  ~Lease() { give_back(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  std::string_view text() const { return {buffers_.memory.at(id_).data(), length_}; }
  unsigned id() const { return id_; }

  void give_back() {
    if (std::exchange(held_, false)) buffers_.provide(id_);
  }

 private:
  Buffers& buffers_;
  unsigned id_;
  std::size_t length_;
  // True until the buffer is given back: a second time would put it into the queue twice.
  bool held_ = true;
};
// [/walk]

struct Received {
  char client;
  int res;
  unsigned flags;
};

// [walk receive]
// No address and no length: the SQE names a group, and the kernel takes a buffer from it later.
void start_receive(io_uring& ring, int fd, char client) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  io_uring_sqe_set_data64(sqe, static_cast<std::uint64_t>(client));
}
// [/walk]

Received next_received(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const Received received{static_cast<char>(io_uring_cqe_get_data64(cqe)), cqe->res, cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return received;
}

// [walk read-id]
// The id is in the upper 16 bits of flags, but only if F_BUFFER is set. A FIN has no buffer, and
// its res of 0 is no error. No client leaves during this story, so here it would be one.
Lease lease(Buffers& buffers, const Received& received) {
  lab::need(received.res, "recv");
  if ((received.flags & IORING_CQE_F_BUFFER) == 0) lab::fail("recv without a buffer");
  return {buffers, received.flags >> IORING_CQE_BUFFER_SHIFT, received.res};
}
// [/walk]

void print(char client, const Lease& held) {
  std::printf("%c said \"%.*s\" in buffer %u\n", client, static_cast<int>(held.text().size()),
              held.text().data(), held.id());
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Buffers buffers(ring);
  const auto [a, a_peer] = lab::connected_pair();
  const auto [b, b_peer] = lab::connected_pair();
  const auto [c, c_peer] = lab::connected_pair();

  start_receive(ring, a, 'A');
  start_receive(ring, b, 'B');
  start_receive(ring, c, 'C');
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::puts("3 receives wait, and 2 buffers are free");

  // [walk story]
  lab::send_all(c_peer, "first");
  const Received first = next_received(ring);
  Lease first_lease = lease(buffers, first);
  lab::send_all(a_peer, "second");
  const Received second = next_received(ring);
  Lease second_lease = lease(buffers, second);
  lab::send_all(b_peer, "third");
  const Received third = next_received(ring);
  std::printf("%c: %s\n", third.client,
              third.res >= 0 ? "bytes in a buffer" : strerrorname_np(-third.res));

  print(first.client, first_lease);
  print(second.client, second_lease);
  second_lease.give_back();
  first_lease.give_back();
  // [/walk]

  // [walk again]
  if (third.res == -ENOBUFS) {
    // Nothing of B's message is lost: it waits in the socket for a receive that finds a buffer.
    start_receive(ring, b, 'B');
    const Received again = next_received(ring);
    print(again.client, lease(buffers, again));
  }
  // [/walk]

  for (const int fd : {a, a_peer, b, b_peer, c, c_peer}) close(fd);
  io_uring_free_buf_ring(&ring, buffers.entries, buffers_count, group);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
