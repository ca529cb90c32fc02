// shows: plain send against zero-copy send on loopback, and the report that says why it loses
// needs: Linux 6.2 (IORING_SEND_ZC_REPORT_USAGE)
// try:   ./lab run 05-07; then ./lab run 05-07 31, and find the size at which zero copy loses most
#include <liburing.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <tuple>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned payload_max = 64 << 10;
constexpr unsigned sends_a_round = 48;

enum class How { plain, zero_copy, zero_copy_fixed };

struct Sender {
  io_uring ring{};
  int server = -1;
  int client = -1;
  std::vector<char> payload = std::vector<char>(payload_max, 'p');  // also registered buffer 0
  std::vector<char> received = std::vector<char>(payload_max);
  unsigned zero_copy_sends = 0;
  unsigned copied = 0;  // what the notifications said
  unsigned not_copied = 0;
};

// [walk prepare]
void prepare_send(Sender& sender, How how, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&sender.ring);
  const char* payload = sender.payload.data();
  constexpr unsigned report = IORING_SEND_ZC_REPORT_USAGE;
  if (how == How::plain) {
    io_uring_prep_send(sqe, sender.server, payload, size, MSG_WAITALL);
  } else if (how == How::zero_copy) {
    io_uring_prep_send_zc(sqe, sender.server, payload, size, MSG_WAITALL, report);
  } else {
    io_uring_prep_send_zc_fixed(sqe, sender.server, payload, size, MSG_WAITALL, report, 0);
  }
  if (how != How::plain) ++sender.zero_copy_sends;
}
// [/walk]

// [walk notification]
void on_notification(Sender& sender, const io_uring_cqe& cqe) {
  const bool copied = (static_cast<unsigned>(cqe.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
  ++(copied ? sender.copied : sender.not_copied);
}
// [/walk]

// [walk take]
// One CQE of a plain send, two of a zero-copy send: F_MORE decides. Returns how many.
unsigned take_cqes(Sender& sender, unsigned size) {
  unsigned cqes = 0;
  for (bool more = true; more; ++cqes) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&sender.ring, &cqe), "io_uring_wait_cqe");
    if ((cqe->flags & IORING_CQE_F_NOTIF) != 0) {
      on_notification(sender, *cqe);
    } else if (cqe->res == -EINVAL) {
      lab::skip("needs Linux 6.2: IORING_SEND_ZC_REPORT_USAGE");
    } else if (lab::need(cqe->res, "send") != static_cast<int>(size)) {
      lab::fail("a short send");
    }
    more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    io_uring_cqe_seen(&sender.ring, cqe);
  }
  return cqes;
}
// [/walk]

void read_all(Sender& sender, unsigned size) {
  for (unsigned at = 0; at < size;) {
    const ssize_t got = recv(sender.client, &sender.received[at], size - at, 0);
    if (lab::need_errno(static_cast<int>(got), "recv") == 0) lab::fail("the connection ended");
    at += static_cast<unsigned>(got);
  }
}

// [walk sends]
// The payload waits in the socket, the client reads it, then the next one: all in one thread.
lab::Round sends(Sender& sender, How how, unsigned size) {
  unsigned cqes = 0;
  for (unsigned i = 0; i < sends_a_round; ++i) {
    prepare_send(sender, how, size);
    lab::need(io_uring_submit(&sender.ring), "io_uring_submit");
    read_all(sender, size);
    cqes += take_cqes(sender, size);
  }
  return {sends_a_round, static_cast<double>(cqes) / sends_a_round};
}
// [/walk]

void open(Sender& sender) {
  lab::need(io_uring_queue_init(8, &sender.ring, 0), "io_uring_queue_init");
  std::tie(sender.server, sender.client) = lab::connected_pair();
  const int on = 1;
  const int room = 1 << 20;
  const socklen_t size = sizeof room;
  // Else a small send may wait for the acknowledgement of the one before it: 40 ms.
  lab::need_errno(setsockopt(sender.server, IPPROTO_TCP, TCP_NODELAY, &on, size), "TCP_NODELAY");
  lab::need_errno(setsockopt(sender.server, SOL_SOCKET, SO_SNDBUF, &room, size), "SO_SNDBUF");
  const iovec memory{.iov_base = sender.payload.data(), .iov_len = sender.payload.size()};
  lab::need(io_uring_register_buffers(&sender.ring, &memory, 1), "io_uring_register_buffers");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  Sender sender;
  open(sender);
  lesson.watch(sender.ring);

  lab::Knob knob(lesson, {.name = "sends",
                          .title = "A send over loopback, the client in the same thread",
                          .operation = "send",
                          .sweep = "payload, KiB",
                          .extra = "CQEs per send"});
  for (unsigned size = 1 << 10; size <= payload_max; size *= 4) {
    const double at = size / 1024.0;
    knob.add(
        "plain", [&sender, size] { return sends(sender, How::plain, size); }, at);
    knob.add(
        "zero-copy", [&sender, size] { return sends(sender, How::zero_copy, size); }, at);
    knob.add(
        "zero-copy, registered",
        [&sender, size] { return sends(sender, How::zero_copy_fixed, size); }, at);
  }
  knob.run();

  std::printf("CQEs of a plain send: %g, of a zero-copy send: %g\n", knob.extra("plain", 64),
              knob.extra("zero-copy", 64));
  std::printf("# %u zero-copy sends\n", sender.zero_copy_sends);
  std::printf("each had its notification: %s\n",
              sender.copied + sender.not_copied == sender.zero_copy_sends ? "yes" : "no");
  const char* mixed = sender.copied == 0 ? "never" : "sometimes";
  std::printf("the kernel copied: %s\n", sender.not_copied == 0 ? "each time" : mixed);
  std::printf("the payload arrived: %s\n", sender.received == sender.payload ? "yes" : "no");

  io_uring_queue_exit(&sender.ring);
  close(sender.server);
  close(sender.client);
  return lab::ok();
}
