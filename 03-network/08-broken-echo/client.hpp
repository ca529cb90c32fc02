// The two clients of lessons 08 to 10, on plain blocking sockets. A sends a lot and reads nothing
// for a while. B asks small questions meanwhile. Then A reads everything and looks at each byte.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "03-network/loopback.hpp"

namespace clients {

// Of 16 bytes: 256 KiB, more than the server's buffers, its socket and the client's hold together.
constexpr int lines = 16'384;

// A connection that takes little at a time, so that the server's sends cannot run ahead.
inline int connect_narrow(std::uint16_t port) {
  const int fd = lab::need_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const int size = 4096;
  lab::need_errno(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), "SO_RCVBUF");
  const sockaddr_in address = lab::loopback_address(port);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  lab::need_errno(connect(fd, where, sizeof address), "connect");
  return fd;
}

// Each line holds its number twice, so that one glued together from two others is found out.
inline std::string numbered_lines(int line_count) {
  std::string text;
  for (int line = 0; line < line_count; ++line) {
    const std::string number = std::to_string(1'000'000 + line);
    text += number + ' ' + number + '\n';
  }
  return text;
}

// A number that is smaller than one before it came too late.
inline int count_late(const std::string& text) {
  int late = 0;
  long highest = 0;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const std::string_view line(text.data() + begin, end - begin);
    if (line.size() != 15 || line.substr(0, 7) != line.substr(8)) continue;
    const long number = std::strtol(line.data(), nullptr, 10);
    if (number < highest) ++late;
    highest = std::max(highest, number);
  }
  return late;
}

// Asks up to `rounds` times; false as soon as an answer takes longer than `patience`.
inline bool neighbour_is_served(int fd, int rounds, std::chrono::milliseconds patience) {
  const timeval limit{.tv_sec = patience.count() / 1000,
                      .tv_usec = (patience.count() % 1000) * 1000};
  lab::need_errno(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "SO_RCVTIMEO");
  for (int round = 0; round < rounds; ++round) {
    lab::send_all(fd, "question");
    std::string answer(8, ' ');
    if (recv(fd, answer.data(), answer.size(), MSG_WAITALL) != 8) return false;
    if (answer != "question") lab::fail("the neighbour got somebody else's bytes");
  }
  return true;
}

/// @param pressed the server sets it once A's bytes have come as far as they can
inline void run(std::uint16_t port, const std::atomic<bool>& pressed,
                std::chrono::milliseconds patience, int line_count = lines) {
  const int neighbour = lab::connect_to(port);
  const bool served_before = neighbour_is_served(neighbour, 10, std::chrono::seconds(5));
  const int reader = connect_narrow(port);
  const std::string sent = numbered_lines(line_count);
  lab::ClientThread flood([reader, &sent] {
    lab::send_all(reader, sent);
    shutdown(reader, SHUT_WR);
  });
  while (!pressed) usleep(1000);
  const bool served = neighbour_is_served(neighbour, 100, patience);
  const std::string got = lab::receive(reader, 2 * sent.size());
  flood.join();

  std::printf("B before A came:    %s\n", served_before ? "served" : "starved");
  std::printf("B beside A:         %s\n", served ? "served" : "starved");
  std::printf("A's bytes:          %s\n",
              got.size() == sent.size() ? "all there" : "some are lost");
  const int late = count_late(got);
  std::printf("A's order:          %s\n", late == 0 ? "kept" : "broken");
  if (got.size() != sent.size() || late != 0) {
    std::printf("# A sent %zu bytes and got %zu, %d lines came too late\n", sent.size(), got.size(),
                late);
  }
  close(reader);
  close(neighbour);
}

// Four clients that ask at the same time and read. Without an answer for 5 s it ends the program.
inline void run_crowd(std::uint16_t port) {
  std::array<int, 4> fds{};
  for (int& fd : fds) fd = lab::connect_to(port);
  for (int round = 0; round < 50; ++round) {
    for (const int fd : fds) lab::send_all(fd, "question");
    for (const int fd : fds) lab::receive(fd, 8);
  }
  for (const int fd : fds) close(fd);
  std::printf("all 200 questions were answered\n");
}

}  // namespace clients
