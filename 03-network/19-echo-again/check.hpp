// Judges the exercise of 03-network/19-echo-again: a relay between left and right, who talk over
// sockets that take at most 1000 bytes at a time. Everything runs in one thread, so every run is
// the same. Nobody edits this file.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"

namespace check {

inline constexpr unsigned buffer_count = 2;  // for both directions together
inline constexpr unsigned buffer_size = 4096;
inline constexpr unsigned moved_max = 1000;  // bytes, by one send
inline constexpr std::size_t letter_size = 100'003;

// What left and right have in their hands: the other ends of the relay's sockets.
struct Peer {
  lab::Fd fd;
  std::string heard;
  bool ended = false;  // the end of what it hears has come
};

// What the relay works with. Slot 0 of the table is left's socket, slot 1 right's.
struct Machine {
  Machine(int to_left, int to_right) : sockets{to_left, to_right} {}

  lab::Ring ring;
  std::array<int, 2> sockets;
  lab::FileTable table{ring, sockets};
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * buffer_size);
  lab::BufferRing buffers{ring, {.count = buffer_count, .size = buffer_size}, memory};
  lab::LeasePool leases{buffer_count};
};
inline constexpr lab::FileSlot left_slot{0};
inline constexpr lab::FileSlot right_slot{1};

// The shutdowns and closes whose CQEs have not come: a worker thread of the kernel does them.
inline std::set<std::uint64_t> endings;

/// What a receive has brought: bytes, or 0 at the end. Anything else ends the exercise in words.
inline unsigned received(lab::Cqe cqe) {
  if (cqe.res == -ENOBUFS) {
    lab::fail("a receive found no buffer: the relay holds both of them",
              "a direction receives again when its buffer was sent, and not before; then the "
              "sender has to wait (YOUR TURN 1)");
  }
  return static_cast<unsigned>(lab::need(cqe.res, "recv"));
}

/// How many bytes a send has taken.
inline std::uint32_t sent(lab::Cqe cqe) {
  if (cqe.res == -EBADF || cqe.res == -EPIPE) {
    lab::fail("a send found its socket closed: the other direction was still in use",
              "an end ends one direction; the sockets are closed after both (YOUR TURN 3)");
  }
  return static_cast<std::uint32_t>(lab::need(cqe.res, "send"));
}

inline int enter(void*, lab::Ring& ring, unsigned to_submit, unsigned wait_for) noexcept {
  const io_uring& raw = *ring.raw();
  for (unsigned head = *raw.sq.khead; head != *raw.sq.ktail; ++head) {
    io_uring_sqe& sqe = raw.sq.sqes[head & raw.sq.ring_mask];
    if (sqe.opcode == IORING_OP_SEND) sqe.len = std::min(sqe.len, moved_max);
    if (sqe.opcode == IORING_OP_SHUTDOWN || sqe.opcode == IORING_OP_CLOSE) {
      endings.insert(sqe.user_data);
    }
  }
  const unsigned flags =
      IORING_ENTER_GETEVENTS | (ring.registered_fd() ? IORING_ENTER_REGISTERED_RING : 0U);
  const int res =
      io_uring_enter(static_cast<unsigned>(raw.enter_ring_fd), to_submit, wait_for, flags, nullptr);
  for (unsigned head = *raw.cq.khead; head != *raw.cq.ktail; ++head) {
    endings.erase(raw.cq.cqes[head & raw.cq.ring_mask].user_data);
  }
  return res;
}

inline std::uint64_t now_ns(void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

class Judge {
 public:
  explicit Judge(Machine& machine, int left, int right) : machine_(machine) {
    left_.fd = lab::Fd(left);
    right_.fd = lab::Fd(right);
    for (int number = 0; letter_.size() < letter_size; ++number) letter_ += std::to_string(number);
    letter_.resize(letter_size);
  }

  void run() {
    // Right does not read. Left says what it can.
    while (moves()) {
    }
    say(right_, "one moment");
    hear(left_, "one moment", "right says a word and does not read: left hears");
    // Right reads, left ends, and right answers what it has heard to the end.
    right_reads_ = true;
    hear(right_, letter_, "right hears");
    hear_end(right_, "right");
    const std::string answer = "thank you for " + std::to_string(right_.heard.size()) + " bytes";
    say(right_, answer);
    shutdown(right_.fd.get(), SHUT_WR);
    hear(left_, "one moment" + answer, "left has ended and still listens: it hears");
    hear_end(left_, "left");
    while (machine_.ring.armed_count() > 0) {
      if (!moves() && endings.empty()) {
        lab::fail("both directions have ended, and the relay still waits for something",
                  "after an end nothing is received any more (YOUR TURN 3)");
      }
    }
    look_at_slots();
  }

 private:
  static void say(const Peer& peer, std::string_view text) {
    lab::need_errno(static_cast<int>(send(peer.fd.get(), text.data(), text.size(), 0)), "send");
  }

  bool listen(Peer& peer) {
    std::array<char, 4096> bytes{};
    const ssize_t got = recv(peer.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 || peer.ended) return false;
    peer.heard.append(bytes.data(), static_cast<std::size_t>(got));
    if (got == 0) peer.ended = true;
    return true;
  }

  // The rest of left's letter, and its end behind it.
  bool speak() {
    if (left_spoke_) return false;
    const std::string_view rest = std::string_view(letter_).substr(said_);
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const ssize_t took = send(left_.fd.get(), rest.data(), rest.size(), flags);
    if (took < 0) return false;
    said_ += static_cast<std::size_t>(took);
    if (said_ < letter_.size()) return true;
    left_spoke_ = true;
    shutdown(left_.fd.get(), SHUT_WR);
    return true;
  }

  // A turn of everybody. False when nothing has moved in several of them: these sockets deliver
  // at once, and only an ending may still be with a worker thread.
  bool moves() {
    for (unsigned turn = 0; turn < 4 || !endings.empty(); ++turn) {
      bool moved = machine_.ring.run_once(0) > 0;
      moved = speak() || moved;
      moved = listen(left_) || moved;
      if (right_reads_) moved = listen(right_) || moved;
      if (moved) return true;
    }
    return false;
  }

  void hear(Peer& peer, const std::string& wanted, const std::string& who) {
    for (bool moved = true;;) {
      const auto place =
          std::mismatch(peer.heard.begin(), peer.heard.end(), wanted.begin(), wanted.end());
      const auto right = static_cast<std::size_t>(place.first - peer.heard.begin());
      if (right < peer.heard.size()) {
        lab::fail(who + " what was not said, from byte " + std::to_string(right) + " on",
                  "a send may be short: its rest goes out before anything else (YOUR TURN 2)");
      }
      if (right == wanted.size()) return;
      if (!moved || peer.ended) {
        lab::fail(who + " " + std::to_string(right) + " of " + std::to_string(wanted.size()) +
                      " bytes, and then " + (peer.ended ? "the end" : "nothing more"),
                  "who receives the next bytes, who sends the rest, and does an end in one "
                  "direction leave the other alone? (YOUR TURN 1 to 3)");
      }
      moved = moves();
    }
  }

  void hear_end(Peer& peer, const std::string& who) {
    while (!peer.ended) {
      if (moves()) continue;
      lab::fail(who + " has heard every byte, and never hears that this was all",
                "the end that a receive brings is passed on to the other side (YOUR TURN 3)");
    }
  }

  void on_close(lab::Cqe cqe) noexcept { close_res_ = cqe.res; }

  void look_at_slots() {
    for (const lab::FileSlot slot : {left_slot, right_slot}) {
      close_.start(machine_.ring, slot);
      while (close_.armed()) machine_.ring.run_once();
      if (close_res_ == -EBADF) continue;
      lab::fail("both directions have ended, and slot " + std::to_string(lab::index(slot)) +
                    " is still open",
                "the second end closes both sockets (YOUR TURN 3)");
    }
  }

  Machine& machine_;
  Peer left_;
  Peer right_;
  std::string letter_;
  std::size_t said_ = 0;
  bool left_spoke_ = false;
  bool right_reads_ = false;
  int close_res_ = 0;
  lab::Bind<lab::CloseSlot, &Judge::on_close> close_{*this};
};

inline std::pair<int, int> socket_pair() {
  int ends[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
  const int size = 4096;
  for (const int end : ends) {
    lab::need_errno(setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
  }
  return {ends[0], ends[1]};
}

/// @tparam Relay made with (Machine&); start() begins, and the loop is here
template <class Relay>
int judge(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const auto [left, to_left] = socket_pair();
  const auto [right, to_right] = socket_pair();
  Machine machine(to_left, to_right);
  lesson.watch(*machine.ring.raw());
  for (const int fd : machine.sockets) close(fd);  // the table has them
  machine.ring.replace_kernel({&enter, &now_ns, nullptr});
  std::printf("left sends %zu bytes, right is slow; two buffers, at most %u bytes a send\n",
              letter_size, moved_max);
  Relay relay(machine);
  relay.start();
  Judge(machine, left, right).run();
  std::printf("every byte in order, both ends passed on, both sockets closed\n");
  return lab::ok();
}

}  // namespace check
