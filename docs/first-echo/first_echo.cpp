// An echo server on the components. docs/first-echo.md is how to write it; its port is an argument:
//   g++ mine.cpp $(./lab env mine.cpp) -o build/mine && build/mine 8007
// [walk includes]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <list>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/listener.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
// [/walk]

// [walk connection]
struct Server;

// One client: receive one buffer, send it until its last byte is out, receive again.
class Connection {
 public:
  Connection(Server& server, lab::FileSlot slot) : server_(server), slot_(slot) { receive(); }

 private:
  void receive() noexcept;
  void send() noexcept;
  void on_recv(lab::Cqe cqe) noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_close(lab::Cqe) noexcept;

  Server& server_;
  lab::FileSlot slot_;
  lab::BufferLease bytes_;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::Send, &Connection::on_send> send_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};
// [/walk]

// [walk server]
// What the connections share. The last member dies first: operations before the memory they use.
struct Server {
  explicit Server(int listening) : listener(listening) { accept.start(ring, listener); }
  void on_accept(lab::Cqe cqe) noexcept;
  void on_shutdown(lab::Cqe) noexcept {}  // the close that follows it says when all is over
  void hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept;
  void forget(const Connection& gone) noexcept;

  lab::Ring ring;
  lab::FileTable table{ring, 256};
  std::vector<std::byte> memory{256 * 4096};
  lab::BufferRing buffers{ring, {.count = 256, .size = 4096}, memory};
  std::list<Connection> connections;
  int listener;
  lab::Bind<lab::AcceptMultishot, &Server::on_accept> accept{*this};
  lab::Bind<lab::ShutdownSlot, &Server::on_shutdown> shutdown{*this};
};
// [/walk]

// [walk accept]
void Server::on_accept(lab::Cqe cqe) noexcept {
  if (cqe.res >= 0) connections.emplace_back(*this, static_cast<lab::FileSlot>(cqe.res));
  // After an error a new accept would fail in the same way, so it waits until a client has gone.
  if (!cqe.more() && cqe.res >= 0) accept.start(ring, listener);
}

void Server::forget(const Connection& gone) noexcept {
  connections.remove_if([&gone](const Connection& one) { return &one == &gone; });
  if (!accept.armed()) accept.start(ring, listener);
}
// [/walk]

// [walk recv]
void Connection::receive() noexcept { recv_.start_once(server_.ring, slot_, server_.buffers); }

void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (!cqe.has_buffer()) return server_.hang_up(slot_, close_);  // the peer's FIN, or an error
  bytes_ = server_.buffers.lease(cqe);
  send();
}
// [/walk]

// [walk send]
void Connection::send() noexcept { send_.start(server_.ring, slot_, bytes_.bytes()); }

void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res > 0) bytes_.drop_front(static_cast<std::uint32_t>(cqe.res));
  if (cqe.res > 0 && bytes_.size() > 0) return send();  // the send was short: now the rest
  bytes_.reset();                                       // the buffer goes home
  receive();                                            // if the peer is gone, this receive says so
}
// [/walk]

// [walk close]
// The shutdown sends the FIN at once. Before Linux 6.13 the close alone may send it much later.
void Server::hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept {
  ring.reserve(2);
  shutdown.link_before_close(ring, slot);
  closing.start(ring, slot);
}

void Connection::on_close(lab::Cqe) noexcept { server_.forget(*this); }
// [/walk]

// [walk main]
int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { std::_Exit(0); });  // at once: the kernel takes everything back
  try {
    const int port = argc > 1 ? std::atoi(argv[1]) : 8007;
    const lab::Listener listener({.port = static_cast<std::uint16_t>(port)});
    Server server(listener.fd());
    std::printf("listening on 127.0.0.1:%u\n", listener.port());
    std::fflush(stdout);
    for (;;) server.ring.run_once();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
// [/walk]
