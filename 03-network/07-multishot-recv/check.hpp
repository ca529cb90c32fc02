// Judges the exercise of 03-network/07-multishot-recv: it sends bytes to a receiver with 4 buffers
// and watches when receives are started. Nobody edits this file.
#pragma once

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

/// What you know about the one connection. Read everything; write only `waiting`.
struct Receiver {
  bool armed = false;         ///< a receive is with the kernel: its last CQE has not come yet
  unsigned free_buffers = 4;  ///< buffers that the kernel may fill
  bool waiting = false;       ///< yours
};

/// Starts a multishot receive.
void start_receive(Receiver& receiver);

// Yours, in exercise.cpp.
void on_receive_ended(Receiver& receiver, int res);
void on_buffer_home(Receiver& receiver);

namespace check {

constexpr unsigned buffer_count = 4;
constexpr unsigned buffer_size = 8;
constexpr std::uint64_t receive_tag = 1000;  // smaller: the timer of that buffer

struct Judge {
  Receiver receiver{};
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, buffer_size>, buffer_count> buffers{};
  __kernel_timespec slow{.tv_sec = 0, .tv_nsec = 1'000'000};
  int fd = -1;
  bool keeps_buffers = false;  // a consumer that needs a millisecond for each buffer
  bool finished = false;
  bool broken = false;  // the connection
  unsigned started_in_vain = 0;
  std::string got;
};

inline Judge* judge = nullptr;

inline void provide(unsigned id) {
  io_uring_buf_ring_add(judge->provided, judge->buffers.at(id).data(), buffer_size,
                        static_cast<unsigned short>(id), buffer_count - 1, 0);
  io_uring_buf_ring_advance(judge->provided, 1);
}

inline void come_home(unsigned id) {
  provide(id);
  ++judge->receiver.free_buffers;
  on_buffer_home(judge->receiver);
}

inline void take(unsigned id, int res) {
  judge->got.append(judge->buffers.at(id).data(), static_cast<std::size_t>(res));
  --judge->receiver.free_buffers;
  if (!judge->keeps_buffers) return come_home(id);
  io_uring_sqe* sqe = io_uring_get_sqe(&judge->ring);
  io_uring_prep_timeout(sqe, &judge->slow, 0, 0);
  io_uring_sqe_set_data64(sqe, id);
}

inline void on_receive(int res, unsigned flags) {
  const bool ended = (flags & IORING_CQE_F_MORE) == 0;
  if (ended) judge->receiver.armed = false;
  if (res == 0) judge->finished = true;
  if ((flags & IORING_CQE_F_BUFFER) != 0) take(flags >> IORING_CQE_BUFFER_SHIFT, res);
  if (ended) on_receive_ended(judge->receiver, res);
}

inline void run_once() {
  lab::need(io_uring_submit_and_wait(&judge->ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&judge->ring, &cqe) == 0) {
    const io_uring_cqe copy = *cqe;
    io_uring_cqe_seen(&judge->ring, cqe);
    if (copy.user_data == receive_tag) {
      on_receive(copy.res, copy.flags);
    } else {
      come_home(static_cast<unsigned>(copy.user_data));
    }
  }
}

// 512 bytes through 4 buffers of 8 bytes.
inline void receive_all(const char* consumer, bool keeps_buffers) {
  Judge one;
  judge = &one;
  one.keeps_buffers = keeps_buffers;
  lab::need(io_uring_queue_init(64, &one.ring, 0), "io_uring_queue_init");
  int error = 0;
  one.provided = io_uring_setup_buf_ring(&one.ring, buffer_count, 1, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) provide(id);
  const auto [server, client] = lab::connected_pair();
  one.fd = server;
  std::string text;
  for (int number = 0; number < 128; ++number) text += std::to_string(1000 + number);
  lab::send_all(client, text);
  shutdown(client, SHUT_WR);

  start_receive(one.receiver);
  while (!one.finished || one.receiver.free_buffers < buffer_count) {
    const bool buffers_out = one.receiver.free_buffers < buffer_count;
    if (!one.receiver.armed && !buffers_out) {
      lab::fail("after " + std::to_string(one.got.size()) +
                    " of 512 bytes nobody receives, and no buffer is out that could come home",
                "a receive can end while buffers are free: look at YOUR TURN 1");
    }
    run_once();
  }
  std::printf("%s: %zu bytes, %u receives started in vain\n", consumer, one.got.size(),
              one.started_in_vain);
  if (one.got != text) lab::fail("the bytes are not those that were sent");
  if (one.started_in_vain != 0) {
    lab::fail("receives were started while no buffer was free: each is a CQE for nothing",
              "wait until a buffer comes home: look at YOUR TURN 1 and 2");
  }
  close(client);
  close(server);
  io_uring_free_buf_ring(&one.ring, one.provided, buffer_count, 1);
  io_uring_queue_exit(&one.ring);
}

// After -ECONNRESET no receive is to be started, neither now nor when a buffer comes home. The
// error is made up here: nothing was received.
inline void connection_breaks() {
  Judge one;
  judge = &one;
  one.broken = true;
  on_receive_ended(one.receiver, -ECONNRESET);
  one.receiver.free_buffers = 0;
  on_receive_ended(one.receiver, -ECONNRESET);
  one.receiver.free_buffers = 1;
  on_buffer_home(one.receiver);
  std::printf("a connection that breaks: no receive started\n");
}

inline int run(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  receive_all("a consumer that keeps buffers", true);
  receive_all("a consumer that is done at once", false);
  connection_breaks();
  return lab::ok();
}

}  // namespace check

inline void start_receive(Receiver& receiver) {
  check::Judge& judge = *check::judge;
  if (judge.finished) {
    lab::fail("a receive was started after the peer's FIN", "res 0 ends it: look at YOUR TURN 1");
  }
  if (judge.broken) {
    lab::fail("a receive was started after -ECONNRESET",
              "an error other than -ENOBUFS ends it for good: look at YOUR TURN 1");
  }
  if (receiver.armed) {
    lab::fail("a second receive was started while the first is armed",
              "two receives of one stream share its bytes: look at YOUR TURN 2");
  }
  if (receiver.free_buffers == 0 && ++judge.started_in_vain == 1000) {
    lab::fail(
        "1000 receives were started while no buffer was free; each ends at once, a core is "
        "busy with nothing",
        "wait until a buffer comes home: look at YOUR TURN 1 and 2");
  }
  receiver.armed = true;
  io_uring_sqe* sqe = io_uring_get_sqe(&judge.ring);
  io_uring_prep_recv_multishot(sqe, judge.fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 1;
  io_uring_sqe_set_data64(sqe, check::receive_tag);
}
