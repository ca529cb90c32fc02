// An echo with two system calls a request and more: one starts a receive, one starts a send. Bring
// it to a tenth of a call a request. `./lab exercise 05-01` runs it; check.hpp judges it.
#include "05-performance/01-syscalls-per-op/check.hpp"

namespace {

constexpr unsigned long long send_tag = 1000;  // plus the buffer's id; smaller: a receive

void start_receive(check::Server& server, std::size_t connection) {
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  // YOUR TURN 1: this receive is spent after one message.
  io_uring_prep_recv(sqe, server.fds[connection], nullptr, check::message_size, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = check::group;
  io_uring_sqe_set_data64(sqe, connection);
  lab::need(io_uring_submit(&server.ring), "io_uring_submit");
}

void on_receive(check::Server& server, const io_uring_cqe& cqe) {
  if (cqe.res != check::message_size) lab::fail("a receive without a whole message");
  const unsigned buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_send(sqe, server.fds[cqe.user_data], server.buffers[buffer].data(),
                     check::message_size, 0);
  io_uring_sqe_set_data64(sqe, send_tag + buffer);
  lab::need(io_uring_submit(&server.ring), "io_uring_submit");
  start_receive(server, cqe.user_data);
}

void on_send(check::Server& server, const io_uring_cqe& cqe) {
  if (cqe.res != check::message_size) lab::fail("a send without a whole message");
  server.give_back(static_cast<unsigned>(cqe.user_data - send_tag));
}

void serve(check::Server& server) {
  for (std::size_t i = 0; i < server.fds.size(); ++i) start_receive(server, i);
  unsigned answered = 0;
  while (answered < check::request_count()) {
    // YOUR TURN 2: take every CQE that is there, prepare what follows from each, and let one call
    // submit all of it and wait for the next turn.
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&server.ring, &cqe), "io_uring_wait_cqe");
    const io_uring_cqe copy = *cqe;
    io_uring_cqe_seen(&server.ring, cqe);
    if (copy.user_data < send_tag) {
      on_receive(server, copy);
    } else {
      on_send(server, copy);
      ++answered;
    }
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, &serve); }
