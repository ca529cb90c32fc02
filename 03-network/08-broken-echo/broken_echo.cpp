// shows: an echo server with three faults that no test with small messages finds
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 03-08; then start it with "serve" and let the conformance client loose on it
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <deque>

#include "01-core/lesson.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/08-broken-echo/server.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/recv_multishot.hpp"

namespace {

class Connection;

// [walk sending]
// One send, and the buffer that it reads from until its CQE.
struct Sending {
  void on_send(lab::Cqe cqe) noexcept;
  Connection* connection = nullptr;
  lab::BufferLease bytes;
  lab::Bind<lab::Completion, &Sending::on_send> send{*this};
};

// At most one send uses a buffer, so the buffer's id is the index of its send.
std::deque<Sending> sendings(8);
// [/walk]

class Connection {
 public:
  Connection(Server<Connection>& server, lab::FileSlot slot) : server_(server), slot_(slot) {
    recv_.start(server_.ring, slot_, server_.buffers);
  }
  void sent() noexcept {
    --sends_;
    close_when_done();
  }
  bool closed() const noexcept { return closed_; }

 private:
  void on_recv(lab::Cqe cqe) noexcept;
  void send(lab::BufferLease bytes) noexcept;
  void close_when_done() noexcept {
    if (finished_ && sends_ == 0) server_.hang_up(slot_, close_);
  }
  void on_close(lab::Cqe) noexcept { closed_ = true; }

  Server<Connection>& server_;
  lab::FileSlot slot_;
  unsigned sends_ = 0;
  bool finished_ = false;
  bool closed_ = false;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};

// [walk on-recv]
void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (cqe.has_buffer()) send(server_.buffers.lease(cqe));
  if (cqe.more()) return;
  if (cqe.res > 0 || cqe.res == -ENOBUFS) {
    if (cqe.res == -ENOBUFS) server_.pressed = true;
    recv_.start(server_.ring, slot_, server_.buffers);
  } else {
    finished_ = true;
    close_when_done();
  }
}
// [/walk]

// [walk send]
// What has come goes out at once. It looks like the fastest thing to do.
void Connection::send(lab::BufferLease bytes) noexcept {
  Sending& sending = sendings[static_cast<std::uint16_t>(bytes.id())];
  sending.connection = this;
  sending.bytes = std::move(bytes);
  const auto text = sending.bytes.bytes();
  io_uring_sqe* sqe = server_.ring.sqe();
  io_uring_prep_send(sqe, lab::index(slot_), text.data(), text.size(), MSG_NOSIGNAL);
  sqe->flags |= IOSQE_FIXED_FILE;
  server_.ring.arm(sqe, sending.send);
  ++sends_;
}
// [/walk]

// [walk on-send]
void Sending::on_send(lab::Cqe) noexcept {
  bytes.reset();  // the lease ends here: its buffer goes home
  connection->sent();
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const bool serves = argc > 1;
  lab::Lesson lesson(argc, argv, "[serve]: serves until Ctrl-C; without: a demonstration",
                     serves ? 86'400 : 10);
  std::uint16_t port = 0;
  const int listener = serves ? lab::listen_on_loopback(port) : listen_narrow(port);
  Server<Connection> server(listener, serves ? 0 : 2);
  lesson.watch(*server.ring.raw());
  if (serves) {
    std::printf("listening on 127.0.0.1:%u\n", port);
    while (server.run_once()) continue;
  }
  const std::chrono::milliseconds patience(500);
  lab::ClientThread clients([&] { clients::run(port, server.pressed, patience); });
  while (server.run_once()) continue;
  clients.join();
  close(listener);
  return lab::ok();
}
