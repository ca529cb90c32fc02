// One connection of the load: what it still has to send, and what it still waits for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "05-performance/lib/latency_histogram.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/schedule.hpp"
#include "05-performance/ringload/talk.hpp"

namespace lab {

/// Connects a socket that is in the file table already.
/// Source: io_uring_prep_connect(3), Linux 5.5. The address lives until the CQE.
class Connect : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, FileSlot slot, const sockaddr_storage& address, socklen_t size) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_connect(sqe, index(slot), reinterpret_cast<const sockaddr*>(&address), size);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// One receive into memory of ours. Source: io_uring_prep_recv(3).
class RecvOnce : public Completion {
 public:
  using Completion::Completion;

  /// Takes what is there and never waits: res is -EAGAIN when nothing is. No poll is armed, so the
  /// peer's core wakes nobody.
  void start_now(Ring& ring, FileSlot slot, std::span<std::byte> memory) noexcept {
    start(ring, slot, memory.data(), memory.size(), MSG_DONTWAIT);
  }
  /// Throws away inside the kernel, without copying: MSG_TRUNC on TCP, tcp(7).
  void start_discard(Ring& ring, FileSlot slot) noexcept {
    start(ring, slot, nullptr, discard_max, MSG_TRUNC);
  }
  void start_discard_now(Ring& ring, FileSlot slot) noexcept {
    start(ring, slot, nullptr, discard_max, MSG_TRUNC | MSG_DONTWAIT);
  }

 private:
  static constexpr std::size_t discard_max = std::size_t{1} << 30;

  void start(Ring& ring, FileSlot slot, std::byte* memory, std::size_t size, int flags) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, index(slot), memory, size, flags);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// The first thing that went wrong: kept as numbers, for the loop does not build texts.
struct LoadFailure {
  enum class Kind {
    none,
    wrong_byte,
    byte_too_many,
    closed_by_server,
    error,
    no_answer,
    no_connection,
    no_datagram,    ///< was answered, of all that were sent
    wrong_size,     ///< of a datagram
    wrong_datagram  ///< one that this flow has not sent
  };

  Kind kind = Kind::none;
  unsigned connection = 0;
  std::uint64_t position = 0;  ///< of the connection's stream
  std::uint64_t awaited = 0;   ///< bytes that did not come
  unsigned expected = 0;
  unsigned actual = 0;
  int error = 0;
};

/// What all connections of a run share. Lifetime: outlives them.
struct Traffic {
  Ring& ring;
  BufferRing& buffers;
  Talk& talk;
  const LoadOptions& options;

  const Schedule* schedule = nullptr;  ///< set in an open loop
  /// Receive with MSG_TRUNC: nobody looks at the bytes and there are many.
  bool discard = false;
  bool measuring = false;
  std::uint64_t looks_found = 0;  ///< --spin: receives that found something
  /// True when no new message is begun; what is in flight is finished.
  bool stopping = false;
  /// True when everything is being cancelled: what ends now is no failure.
  bool closing = false;

  unsigned connected = 0;
  unsigned connects_failed = 0;
  unsigned lost = 0;
  std::uint64_t content_errors = 0;
  std::uint64_t replies = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  /// Bytes of answers that were or will be asked for and did not come yet, over the connections
  /// that live.
  std::uint64_t bytes_unanswered = 0;
  LatencyHistogram latency = {};
  LoadFailure failure = {};

  static constexpr std::size_t send_max = std::size_t{256} << 10;  ///< bytes of one send
};

/// Lifetime: until nothing of it is armed. One stream each way, one send at a time.
class Connection {
 public:
  /// @param asked_at_ns room for `depth` times, used in a closed loop
  Connection(Traffic& traffic, unsigned number, std::uint64_t* asked_at_ns) noexcept;

  /// REQUIRES: the socket in the file table at the slot of the same number.
  void connect(const sockaddr_storage& address, socklen_t size) noexcept;

  /// Begins to receive and, except in an open loop, to send. REQUIRES: connected.
  void start() noexcept;

  /// Open loop: one more message is due.
  void add_due() noexcept;

  /// Open loop: messages that were due and are not sent yet, as `depth` are unanswered.
  std::uint64_t held_back() const noexcept { return held_back_; }

  /// True while an answer is due.
  bool waits() const noexcept { return received_ < awaited_ && !lost_; }
  /// --spin: looks once whether something came. REQUIRES: waits(), and the look before has ended.
  /// @param memory its own until the look has ended
  void look(std::span<std::byte> memory) noexcept;
  /// Whether the latest look() found something.
  bool found() const noexcept { return found_; }

  /// Counts the connection as lost when it still waits for an answer.
  void expire() noexcept;

 private:
  void on_connect(Cqe cqe) noexcept;
  void on_recv(Cqe cqe) noexcept;
  void on_recv_once(Cqe cqe) noexcept;
  void on_send(Cqe cqe) noexcept;

  void receive_next() noexcept;
  void take(std::span<const std::byte> bytes) noexcept;
  void count_bytes(std::size_t count) noexcept;
  void on_reply() noexcept;
  void ask(std::uint64_t messages) noexcept;
  void send_next() noexcept;
  void fail_receive(int res) noexcept;
  void fail(const LoadFailure& failure) noexcept;
  FileSlot slot() const noexcept { return static_cast<FileSlot>(number_); }

  Traffic& traffic_;
  const unsigned number_;
  bool lost_ = false;
  bool found_ = false;
  std::size_t send_place_;
  std::size_t receive_place_;
  std::uint32_t asked_turn_;      ///< which question is asked next
  std::uint32_t answered_turn_;   ///< which answer is complete next
  std::uint64_t due_ = 0;         ///< bytes that shall be sent
  std::uint64_t sent_ = 0;        ///< bytes that the kernel has taken
  std::uint64_t awaited_ = 0;     ///< bytes that shall come: the answers to what is due
  std::uint64_t received_ = 0;    ///< bytes that came
  std::uint64_t reply_left_ = 0;  ///< bytes until the next reply is complete
  std::span<std::byte> look_memory_;

  // Closed loop: when each message in flight was asked, in turn; they are answered in order.
  std::uint64_t* const asked_at_ns_;
  unsigned turn_ = 0;
  // Open loop: messages that are due but held back, as `depth` are unanswered already.
  std::uint64_t held_back_ = 0;
  unsigned unanswered_ = 0;
  std::uint64_t replies_ = 0;

  Bind<RecvMultishot, &Connection::on_recv> recv_{*this};
  // True while a send's result is due. One at a time, or the stream could be reordered.
  Bind<Send, &Connection::on_send> send_{*this};
  Bind<RecvOnce, &Connection::on_recv_once> recv_once_{*this};
  Bind<Connect, &Connection::on_connect> connect_{*this};
};

}  // namespace lab
