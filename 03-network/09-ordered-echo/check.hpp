// Judges the exercise of 03-network/09-ordered-echo: a socket that takes little at a time, and a
// peer that compares every byte. Nobody edits this file.
#pragma once

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/loopback.hpp"

/// One stream. Both fields are yours.
struct Stream {
  std::deque<std::string_view> outbox;
  bool sending = false;
};

/// Starts a send; on_send comes with its result. The memory of `bytes` lives long enough.
void start_send(Stream& stream, std::string_view bytes);

// Yours, in exercise.cpp.
void on_bytes(Stream& stream, std::string_view bytes);
void on_send(Stream& stream, int res);

namespace check {

struct Judge {
  io_uring ring{};
  int fd = -1;
  unsigned in_flight = 0;
  unsigned in_flight_max = 0;
  unsigned sends = 0;
};

inline Judge judge;

// One CQE, or nothing for as long as no send is in flight.
inline void run_once(Stream& stream) {
  lab::need(io_uring_submit_and_wait(&judge.ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&judge.ring, &cqe) == 0) {
    const int res = lab::need(cqe->res, "send");
    io_uring_cqe_seen(&judge.ring, cqe);
    --judge.in_flight;
    on_send(stream, res);
  }
}

inline std::pair<int, int> narrow_pair() {
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  const int size = 4096;
  lab::need_errno(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
  const int client = clients::connect_narrow(port);
  const int server = lab::need_errno(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
  close(listener);
  return {server, client};
}

inline void compare(const std::string& sent, const std::string& got) {
  std::size_t same = 0;
  while (same < got.size() && same < sent.size() && got[same] == sent[same]) ++same;
  std::printf("sent %zu bytes, the peer got %zu, the first %zu are right\n", sent.size(),
              got.size(), same);
  std::printf("sends in flight at once: %u\n", judge.in_flight_max);
  if (judge.in_flight_max > 1) {
    lab::fail("several sends of one stream were in flight, so the socket chose their order",
              "start a send only when none is in flight: look at YOUR TURN 1");
  }
  if (got.size() < sent.size()) {
    lab::fail("bytes are missing from number " + std::to_string(same) + " on",
              "a send may take less than offered, and somebody must start the next one: look at "
              "YOUR TURN 2");
  }
  if (got != sent) lab::fail("a byte is wrong: number " + std::to_string(same));
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::need(io_uring_queue_init(64, &judge.ring, 0), "io_uring_queue_init");
  lesson.watch(judge.ring);
  const auto [server, client] = narrow_pair();
  judge.fd = server;
  const std::string sent = clients::numbered_lines(clients::lines);
  std::atomic<bool> reads = false;
  std::string got;
  lab::ClientThread peer([&got, &reads, &sent, fd = client] {
    while (!reads) usleep(1000);
    got = lab::receive(fd, 2 * sent.size());
  });

  Stream stream;
  const std::size_t chunk = sent.size() / 16;
  for (std::size_t at = 0; at < sent.size(); at += chunk) {
    on_bytes(stream, std::string_view(sent).substr(at, chunk));
  }
  lab::need(io_uring_submit(&judge.ring), "io_uring_submit");
  reads = true;
  while (judge.in_flight > 0) run_once(stream);
  close(server);
  peer.join();
  close(client);
  io_uring_queue_exit(&judge.ring);
  compare(sent, got);
  return lab::ok();
}

}  // namespace check

inline void start_send(Stream&, std::string_view bytes) {
  check::Judge& judge = check::judge;
  if (bytes.empty()) lab::fail("a send of 0 bytes was started", "is the outbox empty?");
  if (++judge.sends == 100'000) lab::fail("100,000 sends were started for 256 KiB");
  if (++judge.in_flight > judge.in_flight_max) judge.in_flight_max = judge.in_flight;
  io_uring_sqe* sqe = io_uring_get_sqe(&judge.ring);
  io_uring_prep_send(sqe, judge.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
