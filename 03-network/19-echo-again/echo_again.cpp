// shows: the echo of 03-01 again, on the components: any number of clients, right and bounded
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 03-19; then start it with "serve" and let the conformance client loose on it
#include <cerrno>
#include <cstdio>
#include <deque>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/08-broken-echo/server.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"

namespace {

class Connection;

// [walk worker]
// What the connections share. It dies from the last line up: operations before their memory.
struct Worker {
  Worker(int fd, unsigned clients_max) : listener(fd), clients_left(clients_max) {
    accept.start(ring, listener);
  }
  void run();
  void hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept;
  void on_accept(lab::Cqe cqe) noexcept;
  void on_shutdown(lab::Cqe) noexcept {}  // fails after a reset: then there is nothing to end

  lab::Ring ring{{.sq_entries = 1024, .cq_entries = 8192}};
  lab::FileTable table{ring, 2048};
  std::vector<std::byte> memory{1024 * 4096};
  lab::BufferRing buffers{ring, {.count = 1024, .size = 4096}, memory};
  lab::LeasePool lease_pool{1024};
  std::deque<Connection*> waiting;  // for a buffer: first come, first served
  std::list<Connection> connections;
  std::atomic<bool> pressed = false;  // for the demonstration: a client does not read
  int listener;
  unsigned clients_left;
  lab::Bind<lab::AcceptMultishot, &Worker::on_accept> accept{*this};
  lab::Bind<lab::ShutdownSlot, &Worker::on_shutdown> ending{*this};
};
// [/walk]

// [walk connection]
// It receives one buffer, sends it, and receives again: so it never holds more than one.
class Connection {
 public:
  Connection(Worker& worker, lab::FileSlot slot) : worker_(worker), slot_(slot) { receive(); }
  void receive() noexcept { recv_.start_once(worker_.ring, slot_, worker_.buffers); }
  bool closed() const noexcept { return closed_; }

 private:
  void on_recv(lab::Cqe cqe) noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_close(lab::Cqe) noexcept { closed_ = true; }

  Worker& worker_;
  lab::FileSlot slot_;
  bool closed_ = false;
  lab::LeaseQueue outbox_{worker_.lease_pool};
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::Send, &Connection::on_send> send_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};
// [/walk]

// [walk run]
void Worker::run() {
  while (ring.armed_count() > 0) {
    // Who was given a buffer may have no data, so it does not sleep while others wait behind it.
    ring.run_once(!waiting.empty() && buffers.free() > 0 ? 0 : 1);
    for (unsigned free = buffers.free(); free > 0 && !waiting.empty(); --free) {
      waiting.front()->receive();
      waiting.pop_front();
    }
    connections.remove_if([](const Connection& one) { return one.closed(); });
  }
}

// Before Linux 6.13 a closed slot's file goes only when all older requests on other slots have
// ended, and until then the peer would hear nothing. The shutdown tells it at once.
void Worker::hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept {
  ring.reserve(2);
  ending.link_before_close(ring, slot);
  closing.start(ring, slot);
}
// [/walk]

// [walk on-accept]
void Worker::on_accept(lab::Cqe cqe) noexcept {
  if (cqe.res >= 0) connections.emplace_back(*this, static_cast<lab::FileSlot>(cqe.res));
  if (cqe.res >= 0 && --clients_left == 0) shutdown(listener, SHUT_RD);  // ends the accept
  if (!cqe.more() && clients_left > 0) accept.start(ring, listener);
}
// [/walk]

// [walk on-recv]
void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    outbox_.push(worker_.buffers.lease(cqe));
    send_.start(worker_.ring, slot_, outbox_.front().bytes());
    if (outbox_.bytes() > 1000) worker_.pressed = true;
  } else if (cqe.res == -ENOBUFS) {
    worker_.waiting.push_back(this);
  } else {
    worker_.hang_up(slot_, close_);  // FIN or an error, and nothing else is in flight
  }
}
// [/walk]

// [walk on-send]
void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res <= 0) outbox_.clear();  // the peer is gone: the next receive says so, and closes
  if (cqe.res > 0) outbox_.consume(static_cast<std::uint32_t>(cqe.res));
  if (outbox_.empty()) return receive();
  send_.start(worker_.ring, slot_, outbox_.front().bytes());
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const bool serves = argc > 1;
  lab::Lesson lesson(argc, argv, "[serve]: serves until Ctrl-C; without: a demonstration",
                     serves ? 86'400 : 10);
  std::uint16_t port = 0;
  const int listener = serves ? lab::listen_on_loopback(port, 4096) : listen_narrow(port);
  Worker worker(listener, serves ? ~0U : 2);
  lesson.watch(*worker.ring.raw());
  lab::ClientThread clients([&worker, port, serves] {
    if (!serves) return clients::run(port, worker.pressed, std::chrono::seconds(5));
    std::printf("listening on 127.0.0.1:%u\n", port);
  });
  worker.run();
  clients.join();
  close(listener);
  return lab::ok();
}
