// Echo servers with faults, in threads of the test: what ringload has to find out about a server.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

/// A bound socket on 127.0.0.1 with a port of the kernel's choice.
inline Fd bind_loopback(int type, std::uint16_t& port) {
  Fd fd(check_errno(socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check_errno(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  check_errno(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

/// Echoes every stream, one after the other, in one thread.
class TcpServer {
 public:
  struct Faults {
    std::chrono::milliseconds delay{0};  ///< before each answer; nobody else is served meanwhile
    std::uint64_t wrong_byte = 0;        ///< this byte of the first stream with so many; 0: none
    bool trickle = false;                ///< the right bytes, one every 20 ms or so
    /// In place of the echo. Its second argument is how many bytes of the stream came before.
    /// It returns the answer, and nothing to close the connection.
    std::function<std::optional<std::string>(std::string_view, std::uint64_t)> instead = {};
  };
  struct Seen {
    std::atomic<std::uint64_t> connections = 0;
    std::atomic<std::uint64_t> bytes = 0;
    std::atomic<std::uint64_t> fins = 0;
    std::atomic<std::uint64_t> resets = 0;
  };

  TcpServer() : TcpServer(Faults{}) {}
  explicit TcpServer(const Faults& faults)
      : faults_(faults), listener_(bind_loopback(SOCK_STREAM, port_)) {
    check_errno(listen(listener_.get(), 1024), "listen");
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  std::string port() const { return std::to_string(port_); }
  const Seen& seen() const { return seen_; }

 private:
  struct Stream {
    Fd fd;
    std::uint64_t bytes = 0;
    std::deque<char> owed = {};  ///< with trickle
  };

  void run(const std::stop_token& stop) {
    std::deque<Stream> streams;
    while (!stop.stop_requested()) {
      std::vector<pollfd> entries{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
      for (const Stream& stream : streams) {
        entries.push_back({.fd = stream.fd.get(), .events = POLLIN, .revents = 0});
      }
      const int ready = poll(entries.data(), entries.size(), 20);
      if (ready == 0) trickle(streams);
      if (ready <= 0) continue;
      for (std::size_t index = 1; index < entries.size(); ++index) {
        if (entries[index].revents != 0) echo(streams[index - 1]);
      }
      std::erase_if(streams, [](const Stream& stream) { return !stream.fd; });
      if (entries[0].revents == 0) continue;
      for (;;) {
        Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) break;
        ++seen_.connections;
        streams.push_back({.fd = std::move(fd)});
      }
    }
  }

  static void trickle(std::deque<Stream>& streams) {
    for (Stream& stream : streams) {
      if (stream.owed.empty()) continue;
      send(stream.fd.get(), &stream.owed.front(), 1, MSG_NOSIGNAL);
      stream.owed.pop_front();
    }
  }

  void echo(Stream& stream) {
    std::array<char, 16384> buffer;
    const ssize_t count = recv(stream.fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      ++(count == 0 ? seen_.fins : seen_.resets);
      stream.fd.reset();
      return;
    }
    const auto size = static_cast<std::size_t>(count);
    seen_.bytes += size;
    const std::uint64_t begin = std::exchange(stream.bytes, stream.bytes + size);
    if (faults_.instead) {
      const auto answer = faults_.instead({buffer.data(), size}, begin);
      if (answer) send(stream.fd.get(), answer->data(), answer->size(), MSG_NOSIGNAL);
      if (!answer) stream.fd.reset();
      return;
    }
    if (faults_.trickle) {
      stream.owed.insert(stream.owed.end(), buffer.begin(), buffer.begin() + count);
      return;
    }
    if (faults_.wrong_byte > begin && faults_.wrong_byte <= stream.bytes) {
      buffer[faults_.wrong_byte - begin - 1] ^= 1;
    }
    if (faults_.delay.count() > 0) std::this_thread::sleep_for(faults_.delay);
    if (send(stream.fd.get(), buffer.data(), size, MSG_NOSIGNAL) < 0) stream.fd.reset();
  }

  const Faults faults_;
  Seen seen_;
  std::uint16_t port_ = 0;
  Fd listener_;
  std::jthread thread_;
};

/// Hands every datagram of a load to `behave`, with its number and a way to answer. What is shorter
/// than a numbered datagram or has none of ringload's numbers is echoed.
class UdpServer {
 public:
  using Answer = std::function<void(const std::string&)>;
  using Behave =
      std::function<void(std::uint64_t number, const std::string& datagram, const Answer& answer)>;

  explicit UdpServer(Behave behave)
      : behave_(std::move(behave)), socket_(bind_loopback(SOCK_DGRAM, port_)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  std::string port() const { return std::to_string(port_); }

 private:
  void run(const std::stop_token& stop) {
    std::string datagram(65536, '\0');
    while (!stop.stop_requested()) {
      pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      datagram.resize(65536);
      const ssize_t count = recvfrom(socket_.get(), datagram.data(), datagram.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 0) continue;
      datagram.resize(static_cast<std::size_t>(count));
      const Answer answer = [&](const std::string& bytes) {
        sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from),
               size);
      };
      // The probe before the run consists of question marks.
      if (datagram.size() < 16 || datagram.starts_with("????")) {
        answer(datagram);
        continue;
      }
      std::uint64_t number = 0;
      std::memcpy(&number, datagram.data() + 8, sizeof number);
      behave_(number, datagram, answer);
    }
  }

  const Behave behave_;
  std::uint16_t port_ = 0;
  Fd socket_;
  std::jthread thread_;
};

}  // namespace lab
