// shows: an acceptor that hands its connections to the rings of two other threads
// needs: Linux 6.0
// try:   ./lab run 04-06; then give the reactors 3 slots each, and see which client is not refused
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <semaphore>
#include <string>
#include <thread>

#include "03-network/loopback.hpp"

namespace {

constexpr const char* names[] = {"Ann", "Bob", "Carol", "Dora"};
constexpr unsigned reactor_count = 2;
constexpr unsigned reactor_slots = 2;
constexpr unsigned acceptor_slots = 4;

// [walk about]
// A CQE's user_data: what it is about, and the slot in the table of the ring that gets the CQE.
enum class Kind : std::uint32_t { accepted, passed, closed, connection, received, sent, stop };

std::uint64_t about(Kind kind, unsigned slot) {
  return static_cast<std::uint64_t>(kind) << 32 | slot;
}
Kind kind_of(const io_uring_cqe& cqe) { return static_cast<Kind>(cqe.user_data >> 32); }
unsigned slot_of(const io_uring_cqe& cqe) { return static_cast<unsigned>(cqe.user_data); }
// [/walk]

void make_ring(io_uring& ring, unsigned slots) {
  lab::need(io_uring_queue_init(16, &ring, 0), "io_uring_queue_init");
  lab::need(io_uring_register_files_sparse(&ring, slots), "io_uring_register_files_sparse");
}

io_uring_cqe next_cqe(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  const io_uring_cqe copy = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

void prepare_close(io_uring& ring, unsigned slot) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_close_direct(sqe, slot);
  io_uring_sqe_set_data64(sqe, about(Kind::closed, slot));
}

struct Reactor {
  io_uring ring{};
  unsigned number = 0;
  std::array<std::array<char, 64>, reactor_slots> text{};
  std::binary_semaphore slot_closed{0};  // for the client in main(), who wants to know
};

void prepare_receive(Reactor& reactor, unsigned slot) {
  io_uring_sqe* sqe = io_uring_get_sqe(&reactor.ring);
  io_uring_prep_recv(sqe, static_cast<int>(slot), reactor.text.at(slot).data(), 16, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, about(Kind::received, slot));
}

void on_received(Reactor& reactor, unsigned slot, int res) {
  if (lab::need(res, "recv") == 0) {
    return prepare_close(reactor.ring, slot);  // the client has left
  }
  auto& text = reactor.text.at(slot);
  const int length =
      std::snprintf(text.data(), text.size(), "reactor %u, slot %u", reactor.number, slot);
  io_uring_sqe* sqe = io_uring_get_sqe(&reactor.ring);
  io_uring_prep_send(sqe, static_cast<int>(slot), text.data(), static_cast<unsigned>(length), 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, about(Kind::sent, slot));
}

// [walk reactor]
// It never accepts. A connection comes as a CQE that another ring has posted, and it is armed at
// once: nothing has been received on it yet.
void run(Reactor& reactor) {
  while (true) {
    const io_uring_cqe cqe = next_cqe(reactor.ring);
    const Kind kind = kind_of(cqe);
    if (kind == Kind::stop) return;
    if (kind == Kind::connection) prepare_receive(reactor, static_cast<unsigned>(cqe.res));
    if (kind == Kind::received) on_received(reactor, slot_of(cqe), cqe.res);
    if (kind == Kind::sent) prepare_receive(reactor, slot_of(cqe));
    if (kind == Kind::closed) reactor.slot_closed.release();
  }
}
// [/walk]

struct Acceptor {
  io_uring ring{};
  std::array<Reactor, reactor_count>& reactors;
  std::array<unsigned, acceptor_slots> refused{};  // by how many reactors, for each slot
  unsigned next = 0;                               // the reactor whose turn it is
};

// [walk pass]
// Passing copies the reference: the connection stays in our table until we close our slot. The
// close is linked, so that it happens exactly when somebody else has the connection.
void pass(Acceptor& acceptor, unsigned slot) {
  const Reactor& reactor = acceptor.reactors.at(acceptor.next++ % reactor_count);
  io_uring_sqe* sqe = io_uring_get_sqe(&acceptor.ring);
  io_uring_prep_msg_ring_fd_alloc(sqe, reactor.ring.ring_fd, static_cast<int>(slot),
                                  about(Kind::connection, 0), 0);
  sqe->flags |= IOSQE_IO_LINK;
  io_uring_sqe_set_data64(sqe, about(Kind::passed, slot));
  prepare_close(acceptor.ring, slot);
}
// [/walk]

// [walk passed]
void on_passed(Acceptor& acceptor, unsigned slot, int res) {
  if (res != -ENFILE) return void(lab::need(res, "MSG_RING"));
  std::printf("  refused by a reactor: %s\n", std::strerror(-res));
  if (++acceptor.refused.at(slot) < reactor_count) return pass(acceptor, slot);
  prepare_close(acceptor.ring, slot);  // nobody has room: only now is it our task to end it
}
// [/walk]

// [walk acceptor]
void run(Acceptor& acceptor, int listener) {
  io_uring_sqe* sqe = io_uring_get_sqe(&acceptor.ring);
  io_uring_prep_multishot_accept_direct(sqe, listener, nullptr, nullptr, 0);
  io_uring_sqe_set_data64(sqe, about(Kind::accepted, 0));
  while (true) {
    const io_uring_cqe cqe = next_cqe(acceptor.ring);
    if (kind_of(cqe) == Kind::passed) on_passed(acceptor, slot_of(cqe), cqe.res);
    if (kind_of(cqe) != Kind::accepted) continue;  // a close's, which is -ECANCELED after a refusal
    if (cqe.res == -EINVAL) return;                // the listener was shut down
    const auto slot = static_cast<unsigned>(lab::need(cqe.res, "accept"));
    acceptor.refused.at(slot) = 0;
    pass(acceptor, slot);
  }
}
// [/walk]

void stop(Acceptor& acceptor) {
  for (const Reactor& reactor : acceptor.reactors) {
    io_uring_sqe* sqe = io_uring_get_sqe(&acceptor.ring);
    io_uring_prep_msg_ring(sqe, reactor.ring.ring_fd, 0, about(Kind::stop, 0), 0);
    lab::need(next_cqe(acceptor.ring).res, "MSG_RING");
  }
}

// The clients are plain blocking sockets.
int greet(std::uint16_t port, const char* name) {
  const int fd = lab::connect_to(port);
  lab::send_all(fd, "hello");
  std::printf("%s: %s\n", name, lab::receive(fd, 17).c_str());
  return fd;
}

void leave(int fd, Reactor& reactor) {
  shutdown(fd, SHUT_WR);
  reactor.slot_closed.acquire();
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  std::array<Reactor, reactor_count> reactors;
  Acceptor acceptor{.ring = {}, .reactors = reactors};
  make_ring(acceptor.ring, acceptor_slots);
  lesson.watch(acceptor.ring);
  std::array<std::thread, reactor_count> threads;
  for (unsigned number = 0; number < reactor_count; ++number) {
    reactors[number].number = number;
    make_ring(reactors[number].ring, reactor_slots);
    threads[number] = std::thread([&reactors, number] { run(reactors[number]); });
  }
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  std::thread accepting([&] { run(acceptor, listener); });

  std::array<int, 4> clients{};
  for (unsigned i = 0; i < 4; ++i) clients[i] = greet(port, names[i]);
  std::printf("Eve comes, and both tables are full\n");
  const int eve = lab::connect_to(port);
  std::printf("Eve: %s\n", lab::receive(eve, 1).empty() ? "turned away" : "a byte?");
  leave(clients[0], reactors[0]);
  std::printf("Ann has left\n");
  clients[0] = greet(port, "Frank");

  for (unsigned i = 0; i < 4; ++i) leave(clients[i], reactors[i % reactor_count]);
  close(eve);
  shutdown(listener, SHUT_RDWR);
  accepting.join();
  stop(acceptor);
  for (unsigned number = 0; number < reactor_count; ++number) {
    threads[number].join();
    io_uring_queue_exit(&reactors[number].ring);
  }
  io_uring_queue_exit(&acceptor.ring);
  close(listener);
  return lab::ok();
}
