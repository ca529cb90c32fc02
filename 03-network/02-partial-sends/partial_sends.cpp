// shows: a send that takes only a part of its bytes, the loop that sends the rest, MSG_WAITALL that
//        loops in the kernel, and a half-closed connection that still gets its answer
// needs: Linux 5.6; MSG_WAITALL for sends Linux 5.19
// try:   ./lab run 03/02; then offer 1000 bytes instead of 1 MiB and predict the first res
#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr std::size_t payload_size = 1 << 20;

// Submits the one SQE that is prepared, waits for its CQE and returns res.
int complete(io_uring& ring, const char* what) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = lab::need(cqe->res, what);
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

// [walk small]
// The kernel keeps what was sent and not yet acknowledged in the send buffer. A small one is soon
// full, so that the sends are short here as they are in the wild with a slow peer.
void shrink_send_buffer(int fd) {
  const int bytes = 4096;
  lab::need_errno(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), "SO_SNDBUF");
}
// [/walk]

// [walk first]
void first_send(io_uring& ring, int fd, std::string_view bytes) {
  io_uring_prep_send(io_uring_get_sqe(&ring), fd, bytes.data(), bytes.size(), 0);
  const int res = complete(ring, "send");
  std::printf("one send, nobody reads: offered %zu, fewer were taken: %s\n", bytes.size(),
              static_cast<std::size_t>(res) < bytes.size() ? "yes" : "no");
  std::printf("# res: %d\n", res);
}
// [/walk]

// [walk send-everything]
// Sends the rest, and the rest of the rest. One send at a time: two at once could change places.
unsigned send_everything(io_uring& ring, int fd, std::string_view rest, int flags) {
  unsigned sends = 0;
  while (!rest.empty()) {
    io_uring_prep_send(io_uring_get_sqe(&ring), fd, rest.data(), rest.size(), flags);
    rest.remove_prefix(static_cast<std::size_t>(complete(ring, "send")));
    ++sends;
  }
  return sends;
}
// [/walk]

// [walk deliver]
// Sends the payload to a peer that reads until the end of the stream, and compares.
void deliver(io_uring& ring, const char* title, const std::string& payload, int flags) {
  const auto [fd, peer] = lab::connected_pair();
  shrink_send_buffer(fd);
  std::string got;
  lab::ClientThread reader([&got, peer = peer] { got = lab::receive(peer, payload_size + 1); });
  const unsigned sends = send_everything(ring, fd, payload, flags);
  close(fd);
  reader.join();
  close(peer);
  std::printf("%s: one CQE: %s, all arrived in order: %s\n", title, sends == 1 ? "yes" : "no",
              got == payload ? "yes" : "no");
  std::printf("# sends: %u\n", sends);
}
// [/walk]

// [walk half-close]
void half_close(io_uring& ring) {
  const auto [fd, peer] = lab::connected_pair();
  lab::send_all(peer, "question");
  shutdown(peer, SHUT_WR);  // the peer will say nothing more, but it goes on listening
  std::string bytes(64, '\0');
  int res = 0;
  do {
    io_uring_prep_recv(io_uring_get_sqe(&ring), fd, bytes.data(), bytes.size(), 0);
    res = complete(ring, "recv");
    std::printf("half-close: recv res %d\n", res);
  } while (res > 0);
  send_everything(ring, fd, "answer", 0);
  close(fd);
  std::printf("half-close: the peer reads \"%s\"\n", lab::receive(peer, 64).c_str());
  close(peer);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::string payload;
  for (std::size_t at = 0; at < payload_size; ++at)
    payload += static_cast<char>('a' + (at + at / 1000) % 26);

  const auto [fd, peer] = lab::connected_pair();
  shrink_send_buffer(fd);
  first_send(ring, fd, payload);
  close(fd);
  close(peer);

  deliver(ring, "a loop of sends", payload, 0);
  deliver(ring, "MSG_WAITALL", payload, MSG_WAITALL);
  half_close(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
