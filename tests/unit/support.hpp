// What the unit tests share: an operation that remembers its completions, waits that cannot hang,
// and a connection over loopback whose server side is a direct descriptor.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/listener.hpp"

namespace lab {

/// An operation with everything that came for it, in order.
template <class Operation = Completion>
class Recorder {
 public:
  void on_operation(Cqe cqe) noexcept {
    cqes.push_back(cqe);
    armed.push_back(operation.armed());
  }

  std::vector<Cqe> cqes;
  std::vector<bool> armed;  ///< as each handler saw it
  Bind<Operation, &Recorder::on_operation> operation{*this};
};

/// While it lives, a test that waits in vain ends with its name instead of hanging.
class Deadline {
 public:
  Deadline() {
    std::signal(SIGALRM, &too_late);
    ::alarm(120);
  }
  ~Deadline() { ::alarm(0); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  static void too_late(int) {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    std::fprintf(stderr, "%s.%s: what it waits for did not come within 120 s\n",
                 test != nullptr ? test->test_suite_name() : "?",
                 test != nullptr ? test->name() : "?");
    std::abort();
  }
};

/// Runs the ring, a completion at a time, until the condition holds.
template <class Condition>
void run_until(Ring& ring, Condition holds) {
  const Deadline deadline;
  while (!holds()) ring.run_once();
}

template <class Operation>
void run_until_count(Ring& ring, const Recorder<Operation>& recorder, std::size_t count) {
  run_until(ring, [&] { return recorder.cqes.size() >= count; });
}

template <class Operation>
void run_until_disarmed(Ring& ring, const Recorder<Operation>& recorder) {
  run_until(ring, [&] { return !recorder.operation.armed(); });
}

/// A no-op that completes at once.
inline void arm_nop(Ring& ring, Completion& completion, unsigned flags = 0) {
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_nop(sqe);
  sqe->flags |= static_cast<std::uint8_t>(flags);
  ring.arm(sqe, completion);
}

/// Fails with -EBADF.
inline void prepare_failing(io_uring_sqe* sqe) { io_uring_prep_close(sqe, -1); }

/// Bytes that differ from their neighbours and, by `start`, from other messages.
inline std::vector<std::byte> pattern(std::size_t count, std::size_t start = 0) {
  std::vector<std::byte> bytes(count);
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t position = start + index;
    bytes[index] = static_cast<std::byte>((position * 31 + (position >> 8) * 7) & 0xff);
  }
  return bytes;
}

inline std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

/// A blocking client of a listener on 127.0.0.1 (or of one that takes IPv4 too).
inline Fd connect_to(std::uint16_t port) {
  Fd fd(check_errno(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check_errno(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
              "connect");
  return fd;
}

inline void send_all(const Fd& fd, std::span<const std::byte> bytes) {
  const Deadline deadline;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(sent, 0) << "errno " << errno;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

/// Exactly `count` bytes, or fewer when the peer ended the stream before.
inline std::vector<std::byte> receive_all(const Fd& fd, std::size_t count) {
  const Deadline deadline;
  std::vector<std::byte> bytes(count);
  std::size_t received = 0;
  while (received < count) {
    const ssize_t res = ::recv(fd.get(), bytes.data() + received, count - received, 0);
    if (res <= 0) break;
    received += static_cast<std::size_t>(res);
  }
  bytes.resize(received);
  return bytes;
}

/// True when the peer has closed the connection in one way or the other; waits for it.
inline bool peer_closed(const Fd& fd) {
  const Deadline deadline;
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, 0) <= 0;
}

/// A RST instead of a FIN.
inline void reset_connection(Fd& fd) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  check_errno(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), "SO_LINGER");
  fd.reset();
}

/// A client, and the connection that the listener accepted for it as a direct descriptor.
struct TcpPair {
  TcpPair(Ring& ring, const Listener& listener) : client(connect_to(listener.port())) {
    Recorder<AcceptMultishot> accept;
    accept.operation.start_once(ring, listener.fd());
    run_until_disarmed(ring, accept);
    slot = FileSlot{static_cast<std::uint32_t>(check(accept.cqes.front().res, "accept"))};
  }

  Fd client;
  FileSlot slot{};
};

/// A ring with a connection on it: what most tests of the network start from.
struct Connected {
  Ring ring;
  FileTable table{ring, 16};
  Listener listener{ListenerOptions{}};
  TcpPair pair{ring, listener};
};

}  // namespace lab
