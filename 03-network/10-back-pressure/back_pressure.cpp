// shows: high and low water, a pause for a multishot, one-shot receives when buffers are scarce,
//        and a fair list of those who wait for a buffer: the neighbour lives
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 03-10; then give the first server 64 buffers, and count its pauses
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <deque>

#include "01-core/lesson.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/08-broken-echo/server.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"

namespace {

class Connection;

// Buffers are scarce when fewer are free. A multishot would then take them from others.
constexpr unsigned reserve = 32;
std::deque<Connection*> waiting;  // for a buffer: first come, first served
lab::LeasePool lease_pool(512);   // the nodes of all outboxes: one per buffer is enough

struct Counters {
  unsigned pauses = 0;
  unsigned waits = 0;
  unsigned held_max = 0;
} counters;

class Connection {
 public:
  Connection(Server<Connection>& server, lab::FileSlot slot) : server_(server), slot_(slot) {
    steer();
  }
  void receive_once() noexcept;
  bool closed() const noexcept { return closed_; }

 private:
  // Buffers that this connection holds because its peer does not read.
  static constexpr unsigned high_water = 8;
  static constexpr unsigned low_water = 4;
  // [walk states]
  enum class Receiving { paused, armed, pausing, starved, ended };
  // [/walk]

  void steer() noexcept;
  void receive() noexcept;
  void pause() noexcept;
  void on_cancel(lab::Cqe) noexcept;
  void on_recv(lab::Cqe cqe) noexcept;
  void on_recv_ended(int res) noexcept;
  void send_next() noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_close(lab::Cqe) noexcept { closed_ = true; }

  Server<Connection>& server_;
  lab::FileSlot slot_;
  lab::LeaseQueue outbox_{lease_pool};
  Receiving receiving_ = Receiving::paused;
  bool multishot_ = false;
  bool closed_ = false;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::Completion, &Connection::on_cancel> cancel_{*this};
  lab::Bind<lab::Send, &Connection::on_send> send_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};

// [walk grant]
// Buffers that came home go to those who wait, one each. A grant only arms a receive, so when the
// connection has no data, its buffer stays in the ring for the next in line.
// Returns true when more connections wait than buffers are free: then the server grants again at
// once.
bool grant_buffers(Server<Connection>& server) {
  unsigned free = server.buffers.free();
  const bool too_few = free > 0 && waiting.size() > free;
  for (; free > 0 && !waiting.empty(); --free) {
    Connection* first = waiting.front();
    waiting.pop_front();
    first->receive_once();
  }
  return too_few;
}
// [/walk]

// [walk steer]
// Called after everything that happened here: the one place that decides about receiving.
void Connection::steer() noexcept {
  counters.held_max = std::max(counters.held_max, outbox_.count());
  if (receiving_ == Receiving::armed && multishot_ && outbox_.count() > high_water) pause();
  if (receiving_ == Receiving::paused && outbox_.count() <= low_water) receive();
  if (receiving_ == Receiving::ended && outbox_.empty() && !cancel_.armed()) {
    server_.hang_up(slot_, close_);
  }
}
// [/walk]

// [walk receive]
void Connection::receive() noexcept {
  if (server_.buffers.free() >= reserve) {
    receiving_ = Receiving::armed;
    multishot_ = true;
    recv_.start(server_.ring, slot_, server_.buffers);
  } else if (outbox_.empty()) {
    receive_once();
  } else {
    // Only for the demonstration, like all that is called `pressed`: A alone holds this much.
    server_.pressed = outbox_.bytes() > 1000;
  }
}
// [/walk]

// [walk receive]
// One buffer and no more. The next question is read when this one is answered.
void Connection::receive_once() noexcept {
  receiving_ = Receiving::armed;
  multishot_ = false;
  recv_.start_once(server_.ring, slot_, server_.buffers);
}
// [/walk]

// [walk pause]
void Connection::pause() noexcept {
  ++counters.pauses;
  server_.pressed = true;
  receiving_ = Receiving::pausing;
  io_uring_sqe* sqe = server_.ring.sqe();
  const lab::Completion& target = recv_;  // recv_'s base: its address is the mark
  io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
  server_.ring.arm(sqe, cancel_);
}
// [/walk]

// [walk on-cancel]
void Connection::on_cancel(lab::Cqe) noexcept {
  // Still armed: either the cancel did not find the receive, or the receive's last CQE is still to
  // come. In both cases steer() cancels again, which does no harm.
  const bool goes_on = recv_.armed();
  if (receiving_ == Receiving::pausing) receiving_ = goes_on ? Receiving::armed : Receiving::paused;
  steer();
}
// [/walk]

// [walk on-recv]
void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (cqe.has_buffer()) outbox_.push(server_.buffers.lease(cqe));  // also while pausing
  if (!cqe.more()) on_recv_ended(cqe.res);
  send_next();
  steer();
}
// [/walk]

// [walk ended]
void Connection::on_recv_ended(int res) noexcept {
  if (res == 0 || (res < 0 && res != -ENOBUFS && res != -ECANCELED)) {
    receiving_ = Receiving::ended;
  } else if (res == -ENOBUFS && !cancel_.armed()) {
    ++counters.waits;
    server_.pressed = true;
    receiving_ = Receiving::starved;
    waiting.push_back(this);
  } else if (!cancel_.armed()) {
    receiving_ = Receiving::paused;
  }
}
// [/walk]

void Connection::send_next() noexcept {
  if (send_.armed() || outbox_.empty()) return;
  send_.start(server_.ring, slot_, outbox_.front().bytes());
}

void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res > 0) {
    outbox_.consume(static_cast<std::uint32_t>(cqe.res));
  } else {
    outbox_.clear();  // the peer is gone: nobody wants these bytes
  }
  send_next();
  steer();
}

// A and B of the last lessons; A sends three times as much.
void reader_and_neighbour(std::uint16_t port, const std::atomic<bool>& pressed) {
  clients::run(port, pressed, std::chrono::seconds(5), 3 * clients::lines);
}

// Four clients that read.
void crowd(std::uint16_t port, const std::atomic<bool>&) { clients::run_crowd(port); }

void serve(BufferOptions buffers, unsigned clients_max, auto body) {
  std::printf("-- %u buffers of %u bytes\n", buffers.count, buffers.size);
  counters = {};
  std::uint16_t port = 0;
  const int listener = listen_narrow(port);
  Server<Connection> server(listener, clients_max, buffers);
  lab::ClientThread clients([&] { body(port, server.pressed); });
  // [walk loop]
  // True: more wait than buffers are free, so the next call does not wait for a CQE.
  for (bool more = false; server.run_once(more ? 0 : 1);) more = grant_buffers(server);
  // [/walk]
  clients.join();
  std::printf("pauses: %s\n", counters.pauses > 0 ? "some" : "none");
  std::printf("# counted: %u pauses, %u receives that found no buffer; most buffers held: %u\n",
              counters.pauses, counters.waits, counters.held_max);
  close(listener);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  serve({.count = 512, .size = 2048}, 2, reader_and_neighbour);
  serve({.count = 8, .size = 16 * 1024}, 2, reader_and_neighbour);
  serve({.count = 1, .size = 4096}, 4, crowd);
  return lab::ok();
}
