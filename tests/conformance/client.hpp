// The client's side of one TCP connection, on plain non-blocking sockets and poll: it shares no
// code with the servers it tests. Whatever waits takes a deadline and throws Failure when it
// passes.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/conformance/pattern.hpp"
#include "tests/conformance/tls_channel.hpp"

namespace lab {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// What the server did wrong, in words for the table.
struct Failure : std::runtime_error {
  using runtime_error::runtime_error;
};

// A moment after which waiting is a failure.
class Deadline {
 public:
  explicit Deadline(Clock::duration from_now) : at_(Clock::now() + from_now) {}

  [[nodiscard]] bool passed() const { return Clock::now() >= at_; }
  // What poll() may wait: 0 when the deadline has passed.
  [[nodiscard]] int left_ms() const;
  [[nodiscard]] Deadline or_sooner(Clock::duration from_now) const;

 private:
  Clock::time_point at_;
};

// Where the server listens.
struct Endpoint {
  sockaddr_storage address = {};
  socklen_t address_size = 0;
  std::string text;

  [[nodiscard]] bool loopback_v4() const;
};

// Takes a name, an IPv4 or an IPv6 address. Throws Failure when it names nothing.
Endpoint resolve(const std::string& host, std::uint16_t port);

struct StreamOptions {
  // 0 leaves each to the kernel. A peer that reads gets no receive buffer of less than 64 KiB:
  // zero-copy segments are charged by the page, and windows of 64 bytes behind a persist timer are
  // then TCP's doing, not the server's.
  int send_buffer_size = 0;
  int receive_buffer_size = 0;
  // Loopback's segments of 64 KiB make buffers grow and windows open in large steps. A network's
  // are 1400.
  int segment_size_max = 0;
  // The last byte of a 127.0.0.x source address: each has ephemeral ports of its own. 0: the
  // kernel's.
  std::uint8_t source = 0;
  // Over TLS: a FIN is then close_notify and a FIN, on both sides.
  bool tls = false;
};

// One connection: what is sent follows its Pattern, what comes back is checked against it.
// Used by one thread at a time. Closes its socket at the end of its life.
class Stream {
 public:
  Stream(const Endpoint& server, Pattern pattern, const StreamOptions& options, Deadline deadline);
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  // Sends the next `size` bytes, waiting for room. The server need not have read them.
  void send(std::size_t size, Deadline deadline);
  // Sends what goes without waiting. 0 when the socket is full, or reset() or broken(). Over TLS
  // what is sent may be waiting here, as a record at most.
  std::size_t send_some(std::size_t size);

  // Receives and checks exactly `size` bytes.
  void receive(std::size_t size, Deadline deadline);
  // Receives and checks at most `size` bytes without waiting. 0 when there are none, or ended() or
  // was_reset().
  std::size_t receive_some(std::size_t size);

  // Sends and receives `size` bytes, both at once: a server that holds nothing back would block a
  // client that only sends.
  void exchange(std::size_t size, Deadline deadline);

  // Says that nothing more is sent (FIN).
  void finish();
  // Receives everything that is still due, then demands the server's FIN and no reset.
  void receive_to_end(Deadline deadline);
  // Both of them: an orderly end, which also shows that no byte too many comes.
  void finish_and_check(Deadline deadline);

  void close();
  // Closes with a reset: unsent and unread data is thrown away, and no TIME_WAIT stays behind.
  void close_with_reset();

  // Waits for POLLIN and POLLOUT; returns what poll saw, 0 at the deadline.
  [[nodiscard]] short wait(short events, Deadline deadline) const;

  // True while the kernel sends again what was not acknowledged, at growing intervals. A receive
  // buffer full of tiny segments drops what comes, and the acknowledgement that it carries: both
  // sides are silent for seconds then, and neither program can change it.
  [[nodiscard]] bool retransmits() const;

  [[nodiscard]] int fd() const { return fd_; }
  // True while poll(2) may know of nothing, and there are bytes to receive.
  [[nodiscard]] bool has_bytes() const { return tls_ && tls_->has_bytes(); }
  // True while sent bytes wait for room.
  [[nodiscard]] bool holds_records() const { return tls_ && tls_->holds_records(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // True when the server's FIN has been read.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool was_reset() const { return reset_; }
  // "connection 7: ", to begin a failure's text with.
  [[nodiscard]] std::string name() const;

 private:
  void check(std::span<const std::byte> bytes);
  [[noreturn]] void fail_mismatch(std::span<const std::byte> bytes, std::size_t at) const;
  [[nodiscard]] std::vector<std::byte> read_on(std::span<const std::byte> bytes) const;
  void demand_open() const;
  void shake_hands(Deadline deadline);

  int fd_ = -1;
  std::unique_ptr<TlsChannel> tls_;  // none: bytes go in the clear
  Pattern pattern_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool ended_ = false;
  bool reset_ = false;
};

// poll(2) on streams, of which TLS may hold bytes in both directions. Entry `index` is that of
// `stream_of(index)`, or has -1 for its fd.
int poll_streams(std::vector<pollfd>& entries,
                 const std::function<const Stream&(std::size_t)>& stream_of, int timeout_ms);

// Lowers the bound to what this process may open, raising the soft limit first. Leaves `reserve`
// free.
std::size_t descriptors_available(std::size_t reserve);

}  // namespace lab
