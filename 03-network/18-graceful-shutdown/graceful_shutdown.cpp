// shows: the six steps in which a server ends, and what may be freed after which of them
// needs: Linux 6.0
// try:   ./lab run 03-18; then leave out SO_LINGER, and see which step no longer ends
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/loopback.hpp"

namespace {

// [walk operation]
struct Operation {
  bool armed = false;  // true until its last CQE: until then all that it uses has to live
  // True until the result is there. A zero-copy send with its result is still armed: its
  // notification is to come.
  bool result_due = false;
  int res = 0;
};

struct Connection {
  int fd = -1;
  std::array<char, 64> question{};
  std::vector<char> answer;
  Operation receive;
  Operation send;
  Operation cancel_receive;
  Operation cancel_send;
};

io_uring ring;

void arm(io_uring_sqe* sqe, Operation& operation) {
  io_uring_sqe_set_data(sqe, &operation);
  operation = {.armed = true, .result_due = true};
}

void cancel(Operation& target, Operation& cancel) {
  if (!target.armed) return;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
  arm(sqe, cancel);
}
// [/walk]

// [walk take-one]
void take_one() {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  auto& operation = *static_cast<Operation*>(io_uring_cqe_get_data(cqe));
  operation.armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
  if ((cqe->flags & IORING_CQE_F_NOTIF) == 0) {
    operation.res = cqe->res;
    operation.result_due = false;
  }
  io_uring_cqe_seen(&ring, cqe);
}
// [/walk]

// A res as text.
const char* words(int res) { return res < 0 ? std::strerror(-res) : "done"; }

void open_connections(int listener, Operation& accept, Connection& quiet, Connection& busy) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  arm(sqe, accept);
  for (Connection* one : {&quiet, &busy}) {
    take_one();
    one->fd = lab::need(accept.res, "accept");
  }
  for (Connection* one : {&quiet, &busy}) {
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, one->fd, one->question.data(), one->question.size(), 0);
    arm(sqe, one->receive);
  }
  // The busy one owes its peer 1 MiB, and the peer does not read.
  busy.answer.resize(1 << 20, 'a');
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send_zc(sqe, busy.fd, busy.answer.data(), busy.answer.size(), MSG_WAITALL, 0);
  arm(sqe, busy.send);
}

// [walk stop]
void stop_accepting(int listener, Operation& accept) {
  Operation cancel_accept;
  cancel(accept, cancel_accept);
  while (accept.armed || cancel_accept.armed) take_one();
  close(listener);  // only now: an accept in flight would keep the port open
  std::printf("stop accepting\n  accept: %s\n", words(accept.res));
}
// [/walk]

// [walk deadline]
// A connection that owes something has until the deadline. Without one, a single peer could keep us
// here forever.
void wait_for_deadline(const Connection& busy) {
  Operation deadline;
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 50'000'000};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &time, 0, 0);
  arm(sqe, deadline);
  while (deadline.armed) take_one();
  std::printf("  deadline: the send is %s\n", busy.send.result_due ? "not done" : "done");
}
// [/walk]

// [walk end]
void end_operations(Connection& connection) {
  cancel(connection.receive, connection.cancel_receive);
  cancel(connection.send, connection.cancel_send);
  const auto due = [&connection] {
    return connection.receive.armed || connection.send.result_due ||
           connection.cancel_receive.armed || connection.cancel_send.armed;
  };
  while (due()) take_one();
  std::printf("  receive: %s\n", words(connection.receive.res));
}
// [/walk]

// [walk close]
void close_connection(Connection& connection) {
  const bool owes = connection.send.armed;
  const linger reset{.l_onoff = 1, .l_linger = 0};
  if (owes) {
    // Bytes that the peer does not take would keep our memory for as long as TCP tries.
    lab::need_errno(setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
                    "SO_LINGER");
  }
  close(connection.fd);
  std::printf("  close() returned%s\n", owes ? ", a reset was asked for" : "");
}
// [/walk]

void look(int client) {
  pollfd entry{.fd = client, .events = POLLRDHUP, .revents = 0};  // POLLIN could be unread data
  const bool heard = poll(&entry, 1, 5000) > 0;
  const char* what = (entry.revents & POLLERR) != 0 ? "a reset" : "a FIN";
  std::printf("  the peer sees %s\n", heard ? what : "nothing");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::need(io_uring_queue_init(32, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  const int size = 4096;
  lab::need_errno(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
  const int quiet_client = lab::connect_to(port);
  const int busy_client = clients::connect_narrow(port);
  Operation accept;
  Connection quiet;
  Connection busy;
  open_connections(listener, accept, quiet, busy);

  stop_accepting(listener, accept);
  std::printf("quiet owes nothing, it goes at once\n");
  end_operations(quiet);
  close_connection(quiet);
  look(quiet_client);

  std::printf("busy owes 1 MiB, it has until the deadline\n");
  wait_for_deadline(busy);
  end_operations(busy);
  std::printf("  send: %s\n", busy.send.res > 0 ? "a part was sent" : words(busy.send.res));
  std::printf("# %d of %zu bytes\n", busy.send.res, busy.answer.size());
  std::printf("  notification: %s\n", busy.send.armed ? "due" : "came");
  // [walk notification]
  close_connection(busy);
  look(busy_client);
  while (busy.send.armed) take_one();
  std::printf("  notification: came, now the answer's memory may go\n");
  busy.answer = {};
  // [/walk]

  std::printf("%s is armed\n", quiet.receive.armed ? "a receive" : "nothing");
  io_uring_queue_exit(&ring);
  close(quiet_client);
  close(busy_client);
  return lab::ok();
}
