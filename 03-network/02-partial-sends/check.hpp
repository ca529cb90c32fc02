// Judges the exercise: send_all() must bring every byte to a peer that reads slowly, and come back
// with the error when the peer is gone. Nobody needs to edit it.
#pragma once

#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace lab {

using SendAll = int (*)(io_uring& ring, int fd, std::string_view bytes);

inline std::pair<int, int> pair_with_small_buffer() {
  const auto [fd, peer] = connected_pair();
  const int bytes = 4096;
  need_errno(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), "SO_SNDBUF");
  return {fd, peer};
}

inline void judge_size(io_uring& ring, SendAll send_all_of_learner, std::size_t size) {
  const std::string what = "send_all() of " + std::to_string(size) + " bytes";
  std::string payload;
  for (std::size_t at = 0; at < size; ++at)
    payload += static_cast<char>('a' + (at + at / 999) % 26);
  const auto [fd, peer] = pair_with_small_buffer();
  std::string got;
  ClientThread reader([&got, size, peer = peer] { got = receive(peer, size + 1); });
  const unsigned before = ring.sq.sqe_tail;
  const int res = send_all_of_learner(ring, fd, payload);
  const unsigned sends = ring.sq.sqe_tail - before;
  close(fd);
  reader.join();
  close(peer);
  if (res != 0)
    fail(what + " returned " + std::to_string(res) + ", expected 0",
         "0 means: all of it was taken");
  if (got.size() < size)
    fail(what + ": the peer got only " + std::to_string(got.size()),
         "compare res of each send with what you offered, and send the rest");
  if (got != payload)
    fail(what + ": the peer got other bytes than these, or in another order",
         "where does the rest begin? One send at a time");
  if (io_uring_cq_ready(&ring) != 0)
    fail(what + ": a CQE was left in the queue", "io_uring_cqe_seen() for each of them");
  if (size == 0 && sends != 0)
    fail("send_all() of nothing prepared an SQE", "look at the condition of your loop");
  if (size > 1000000 && sends == 1)
    fail("one send was enough for 1 MiB: MSG_WAITALL did your work", "pass 0 as flags and loop");
  std::printf("%zu bytes: arrived\n", size);
}

// The peer resets the connection: every send fails from then on.
inline void judge_gone_peer(io_uring& ring, SendAll send_all_of_learner) {
  const auto [fd, peer] = pair_with_small_buffer();
  const linger hard{.l_onoff = 1, .l_linger = 0};
  need_errno(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), "SO_LINGER");
  close(peer);
  const int res = send_all_of_learner(ring, fd, "is anybody there?");
  close(fd);
  if (res != -ECONNRESET && res != -EPIPE)
    fail("the peer is gone, and send_all() returned " + std::to_string(res) +
             ", expected -ECONNRESET or -EPIPE",
         "a negative res is no count: return it");
  std::puts("a peer that is gone: its error was returned");
}

/// Exercises the learner's send_all(). Ends the program with words when it is wrong.
inline int judge(int argc, char** argv, SendAll send_all_of_learner) {
  Lesson lesson(argc, argv);
  io_uring ring;
  need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  for (const std::size_t size : {4096U, 1U, (1U << 20) + 1U, 0U}) {
    judge_size(ring, send_all_of_learner, size);
  }
  judge_gone_peer(ring, send_all_of_learner);
  io_uring_queue_exit(&ring);
  return ok();
}

}  // namespace lab
