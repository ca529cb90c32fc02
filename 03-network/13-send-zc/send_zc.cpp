// shows: a zero-copy send answers twice: first how much, later that your memory is yours again
// needs: Linux 6.0; the usage report Linux 6.2, or 6.1 with its updates
// try:   ./lab run 03-13; then make message_size 4096 and see when the notification comes
#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "03-network/loopback.hpp"

namespace {

constexpr std::size_t message_size = 131072;
constexpr std::size_t small_size = 4096;

void print_cqe(const io_uring_cqe& cqe) {
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if ((cqe.flags & IORING_CQE_F_NOTIF) != 0) {
    // With the usage report, res is a set of bits here: read as a signed number it is negative.
    const bool copied = (static_cast<unsigned>(cqe.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
    std::printf("  notification: %s%s\n", copied ? "the kernel copied" : "res 0",
                more ? ", F_MORE" : "");
  } else if (cqe.res < 0) {
    std::printf("  result: %s%s\n", std::strerror(-cqe.res), more ? ", F_MORE" : "");
  } else {
    std::printf("  result: %d bytes%s\n", cqe.res, more ? ", F_MORE" : "");
  }
}

// [walk until-last]
// The loop that is right for every zero-copy send: only F_MORE says whether another CQE comes.
// Returns the first res.
int read_until_last(io_uring& ring) {
  int first_res = 0;
  for (bool first = true, more = true; more; first = false) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    if (first) first_res = cqe->res;
    more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    print_cqe(*cqe);
    io_uring_cqe_seen(&ring, cqe);
  }
  return first_res;
}
// [/walk]

void send_to_a_slow_peer(io_uring& ring, int server, int client) {
  // The server's socket can queue the whole message, the client's receive window cannot hold it.
  const int send_space = 1 << 20;
  const int receive_space = 1 << 15;
  const socklen_t size = sizeof(int);
  lab::need_errno(setsockopt(server, SOL_SOCKET, SO_SNDBUF, &send_space, size), "SO_SNDBUF");
  lab::need_errno(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &receive_space, size), "SO_RCVBUF");
  // [walk queue]
  std::vector<char> message(message_size, 'a');

  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send_zc(sqe, server, message.data(), message.size(), MSG_WAITALL, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("a send, and the peer does not read yet\n");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  print_cqe(*cqe);
  io_uring_cqe_seen(&ring, cqe);
  // The bytes are in the socket's queue, but only as a pointer to `message`.
  const bool waiting = io_uring_peek_cqe(&ring, &cqe) == -EAGAIN;
  std::printf("  notification there: %s\n", waiting ? "no" : "yes");
  // [/walk]

  // [walk peer-reads]
  const std::string received = lab::receive(client, message_size);
  std::printf("the peer reads\n");
  read_until_last(ring);
  // Ours again, only now.
  std::fill(message.begin(), message.end(), 'b');
  // [/walk]

  const auto changed = received.size() - std::size_t(std::ranges::count(received, 'a'));
  std::printf("received %zu bytes, changed under way: %zu\n", received.size(), changed);
}

// [walk registered]
void send_from_a_registered_buffer(io_uring& ring, int server) {
  // A plain SEND_ZC pins the pages of its buffer each time. These are pinned once, here.
  std::vector<char> buffer(small_size, 'c');
  const iovec memory{.iov_base = buffer.data(), .iov_len = buffer.size()};
  lab::need(io_uring_register_buffers(&ring, &memory, 1), "io_uring_register_buffers");

  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  const unsigned buffer_index = 0;
  io_uring_prep_send_zc_fixed(sqe, server, buffer.data(), buffer.size(), MSG_WAITALL, 0,
                              buffer_index);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("from a registered buffer\n");
  read_until_last(ring);
  lab::need(io_uring_unregister_buffers(&ring), "io_uring_unregister_buffers");
}
// [/walk]

// [walk fails]
void send_that_fails(io_uring& ring) {
  // Sockets between processes of one machine (AF_UNIX) cannot send without a copy.
  int pair[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send_zc(sqe, pair[0], "hello", 5, 0, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("to a socket that cannot do it\n");
  read_until_last(ring);
  close(pair[0]);
  close(pair[1]);
}
// [/walk]

void send_with_usage_report(io_uring& ring, int server) {
  const std::vector<char> bytes(small_size, 'd');
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send_zc(sqe, server, bytes.data(), bytes.size(), MSG_WAITALL,
                        IORING_SEND_ZC_REPORT_USAGE);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("with a usage report\n");
  if (read_until_last(ring) == -EINVAL)
    std::printf("skip usage report: needs Linux 6.2, or a 6.1 with its updates\n");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const auto [server, client] = lab::connected_pair();

  send_to_a_slow_peer(ring, server, client);
  send_from_a_registered_buffer(ring, server);
  send_that_fails(ring);
  send_with_usage_report(ring, server);

  close(server);
  close(client);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
