// shows: an outbox with one unfinished send: nothing is reordered, and a short send loses nothing
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 03-09; then add MSG_WAITALL to the send, and see what becomes of the short ones
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

unsigned short_sends = 0;

class Connection {
 public:
  Connection(Server<Connection>& server, lab::FileSlot slot) : server_(server), slot_(slot) {
    recv_.start(server_.ring, slot_, server_.buffers);
  }
  bool closed() const noexcept { return closed_; }

 private:
  void on_recv(lab::Cqe cqe) noexcept;
  void send_next() noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void close_when_done() noexcept {
    if (finished_ && outbox_.empty() && !recv_.armed()) server_.hang_up(slot_, close_);
  }
  void on_close(lab::Cqe) noexcept { closed_ = true; }

  Server<Connection>& server_;
  lab::FileSlot slot_;
  // [walk outbox]
  // What came and is not yet in the socket, in order. The front is being sent.
  std::deque<lab::BufferLease> outbox_;
  // [/walk]
  bool finished_ = false;
  bool closed_ = false;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  // [walk outbox]
  lab::Bind<lab::Completion, &Connection::on_send> send_{*this};
  // [/walk]
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};

// [walk on-recv]
void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    outbox_.push_back(server_.buffers.lease(cqe));
    send_next();
  }
  if (cqe.more()) return;
  if (cqe.res > 0 || cqe.res == -ENOBUFS) {
    if (cqe.res == -ENOBUFS) server_.pressed = true;
    recv_.start(server_.ring, slot_, server_.buffers);  // in vain while no buffer is free: 03-10
  } else {
    finished_ = true;
    close_when_done();
  }
}
// [/walk]

// [walk send-next]
void Connection::send_next() noexcept {
  // One unfinished send at a time: the next bytes wait until these are all in the socket.
  if (send_.armed() || outbox_.empty()) return;
  const auto text = outbox_.front().bytes();
  io_uring_sqe* sqe = server_.ring.sqe();
  io_uring_prep_send(sqe, lab::index(slot_), text.data(), text.size(), MSG_NOSIGNAL);
  sqe->flags |= IOSQE_FIXED_FILE;
  server_.ring.arm(sqe, send_);
}
// [/walk]

// [walk on-send]
void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res > 0) {
    const auto sent = static_cast<std::uint32_t>(cqe.res);
    lab::BufferLease& front = outbox_.front();
    if (sent < front.size()) ++short_sends;
    front.drop_front(sent);
    if (front.size() == 0) outbox_.pop_front();  // the buffer goes home here, and not earlier
  } else {
    outbox_.clear();  // the peer is gone: nobody wants these bytes
  }
  send_next();
  close_when_done();
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  std::uint16_t port = 0;
  const int listener = listen_narrow(port);
  Server<Connection> server(listener, 2);
  lesson.watch(*server.ring.raw());
  const std::chrono::milliseconds patience(500);
  lab::ClientThread clients([&] { clients::run(port, server.pressed, patience); });
  while (server.run_once()) continue;
  clients.join();
  std::printf("short sends:        %s\n", short_sends > 0 ? "some" : "none");
  std::printf("# %u short sends\n", short_sends);
  close(listener);
  return lab::ok();
}
