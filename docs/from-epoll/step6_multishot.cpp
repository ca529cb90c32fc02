// shows: step 6: one receive for all messages of a client, an outbox, and a stop when it is full
// needs: Linux 6.1 (DEFER_TASKRUN)
// try:   build/release/bin/from-epoll-step6, then: nc 127.0.0.1 PORT
#include "docs/from-epoll/after_step5.hpp"

namespace {

// [walk connection]
// Whose answer it is: the connection's address, and in its low bits which operation.
enum class Part : std::uint64_t { receive = 1, send = 2, cancel = 3, close = 4 };
// With so many buffers in the outbox the receive is cancelled; with so few it is started again.
constexpr std::size_t high_water = 8, low_water = 2;

struct alignas(8) Connection {
  std::uint64_t mark(Part part) const {
    return reinterpret_cast<std::uint64_t>(this) | static_cast<std::uint64_t>(part);
  }
  int slot = -1;
  lab::Outbox outbox;
  bool receiving = false;   // true until the receive's CQE without F_MORE
  bool sending = false;     // one at a time, or the stream could be reordered
  bool cancelling = false;  // true until the cancel's own CQE
  bool waiting = false;     // for a buffer
  bool ended = false;       // FIN: nothing more will come
  bool failed = false;      // nothing more can be sent either
};
// [/walk]

struct Server : lab::BufferService {
  using BufferService::BufferService;
  lab::WaitingList<Connection> waiting;
};

void start_receive(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe();
  io_uring_prep_recv_multishot(sqe, connection.slot, nullptr, 0, 0);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
  io_uring_sqe_set_data64(sqe, connection.mark(Part::receive));
  connection.receiving = true;
}

void start_send(Server& server, Connection& connection) {
  const std::string_view bytes = connection.outbox.front();
  io_uring_sqe* sqe = server.next_sqe();
  io_uring_prep_send(sqe, connection.slot, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(sqe, connection.mark(Part::send));
  connection.sending = true;
}

void start_cancel(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe();
  io_uring_prep_cancel64(sqe, connection.mark(Part::receive), 0);
  io_uring_sqe_set_data64(sqe, connection.mark(Part::cancel));
  connection.cancelling = true;
}

// [walk on-receive]
void on_receive(Server& server, Connection& connection, const io_uring_cqe& cqe) {
  connection.receiving = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if (cqe.res > 0) {  // also in the last CQE, also after a cancel
    const char* bytes = server.take(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    connection.outbox.emplace_back(bytes, static_cast<unsigned>(cqe.res));
    ++server.receives;
  } else if (cqe.res == -ENOBUFS) {
    server.waiting.push(connection);
  } else if (cqe.res != -ECANCELED) {
    connection.ended = true;
    connection.failed |= cqe.res < 0;
  }
}
// [/walk]

void on_send(Server& server, Connection& connection, int res) {
  connection.sending = false;
  connection.failed |= res < 0;
  std::string_view& first = connection.outbox.front();
  if (res > 0) first.remove_prefix(static_cast<unsigned>(res));
  if (first.empty()) server.drop_front(connection.outbox);
}

// [walk settle]
// Starts what may start now. Every event of a connection ends here.
void settle(Server& server, Connection& connection) {
  auto& [slot, outbox, receiving, sending, cancelling, waiting, ended, failed] = connection;
  while (failed && !sending && !outbox.empty()) server.drop_front(outbox);
  if (!sending && !outbox.empty()) start_send(server, connection);
  const bool stop = failed || outbox.size() >= high_water;
  if (receiving && !cancelling && stop) start_cancel(server, connection);
  if (receiving || cancelling || waiting) return;
  const bool over = ended || failed;
  if (!over && outbox.size() <= low_water) start_receive(server, connection);
  if (!over || !outbox.empty()) return;
  io_uring_sqe_set_data64(server.prep_close(slot), connection.mark(Part::close));
}
// [/walk]

void on_cqe(Server& server, const io_uring_cqe& cqe) {
  if (cqe.user_data == 0) {
    const int slot = server.on_accept(cqe);
    if (slot >= 0) start_receive(server, *new Connection{.slot = slot});
    return;
  }
  auto* connection = reinterpret_cast<Connection*>(cqe.user_data & ~std::uint64_t{7});
  const auto part = static_cast<Part>(cqe.user_data & 7);
  if (part == Part::receive) on_receive(server, *connection, cqe);
  if (part == Part::send) on_send(server, *connection, cqe.res);
  if (part == Part::cancel) connection->cancelling = false;
  if (part != Part::close) return settle(server, *connection);
  delete connection;
  server.on_closed();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  while (server.clients_left > 0) {
    const auto wake = [&](Connection& connection) { settle(server, connection); };
    const unsigned wait = server.waiting.wake(server.free, wake);
    server.round(wait, [&](const io_uring_cqe& cqe) { on_cqe(server, cqe); });
  }
  return server.end();
}
