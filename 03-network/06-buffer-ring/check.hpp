// Judges the exercise of 03-network/06-buffer-ring: a real ring, two buffers, twelve messages.
// Nobody edits this file.
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace check {

inline constexpr unsigned buffers_count = 2;
inline constexpr unsigned buffer_size = 64;
inline constexpr int group = 1;

/// The two buffers, and who has them. What was given back is overwritten: the kernel may do so too.
class Buffers {
 public:
  explicit Buffers(io_uring& ring) {
    int error = 0;
    entries_ = io_uring_setup_buf_ring(&ring, buffers_count, group, 0, &error);
    if (error == -EINVAL) lab::skip("needs Linux 5.19: provided buffer rings");
    if (entries_ == nullptr) lab::need(error, "io_uring_setup_buf_ring");
    yours_.fill(true);
    for (unsigned id = 0; id < buffers_count; ++id) provide(id);
  }

  const char* bytes(unsigned id) const {
    if (id >= buffers_count) lab::fail("there is no buffer " + std::to_string(id), "YOUR TURN 1");
    return memory_[id].data();
  }
  /// Gives a buffer to the kernel.
  void provide(unsigned id) {
    if (id >= buffers_count) lab::fail("there is no buffer " + std::to_string(id), "YOUR TURN 1");
    if (!yours_[id]) {
      lab::fail("buffer " + std::to_string(id) + " was given back, and the kernel has it already",
                "once for each CQE that has a buffer (YOUR TURN 2 and 3)");
    }
    yours_[id] = false;
    memory_[id].fill('#');
    io_uring_buf_ring_add(entries_, memory_[id].data(), buffer_size, static_cast<std::uint16_t>(id),
                          io_uring_buf_ring_mask(buffers_count), 0);
    io_uring_buf_ring_advance(entries_, 1);
  }
  /// The kernel has taken it for a receive.
  void taken(unsigned id) { yours_.at(id) = true; }

 private:
  io_uring_buf_ring* entries_ = nullptr;
  std::array<std::array<char, buffer_size>, buffers_count> memory_{};
  std::array<bool, buffers_count> yours_{};
};

}  // namespace check

// Yours, in exercise.cpp.
std::string on_receive(check::Buffers& buffers, int res, unsigned flags);

namespace check {

inline io_uring_cqe receive(io_uring& ring, int fd) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const io_uring_cqe copy{.user_data = 0, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Buffers buffers(ring);
  const auto [server, client] = lab::connected_pair();
  for (int number = 1; number <= 12; ++number) {
    const std::string sent = "message " + std::to_string(number);
    lab::send_all(client, sent);
    lab::await_bytes(server, sent.size());
    const io_uring_cqe cqe = receive(ring, server);
    if (cqe.res == -ENOBUFS) {
      lab::fail(sent + ": ENOBUFS, for all buffers are yours and none is the kernel's",
                "give each back when you have read it (YOUR TURN 3)");
    }
    lab::need(cqe.res, "recv");
    buffers.taken(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    const std::string got = on_receive(buffers, cqe.res, cqe.flags);
    if (got.find('#') != std::string::npos) {
      lab::fail(sent + " came, and you read \"" + got + "\"",
                "a buffer is the kernel's from the moment you give it back (YOUR TURN 3)");
    }
    if (got != sent) {
      lab::fail(sent + " came, and you read \"" + got.substr(0, got.find('\0')) + "\"",
                "the id is in the upper 16 bits of flags (YOUR TURN 1)");
    }
  }
  // By hand: both have no buffer.
  for (const int res : {0, -ENOBUFS, -ECONNRESET}) {
    if (on_receive(buffers, res, 0).empty()) continue;
    lab::fail("res " + std::to_string(res) + " without a buffer gave you a message",
              "IORING_CQE_F_BUFFER says whether there is one (YOUR TURN 2)");
  }
  for (const int fd : {server, client}) close(fd);
  io_uring_queue_exit(&ring);
  std::printf("12 messages through 2 buffers, each given back once\n");
  return lab::ok();
}

}  // namespace check
