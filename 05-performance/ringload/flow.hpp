// One UDP flow: numbered datagrams on one socket, and what became of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "05-performance/ringload/connection.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/pattern_block.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/schedule.hpp"

namespace lab {

/// What a datagram begins with; the rest is bytes of the pattern, at a place that its number gives.
struct DatagramHeader {
  std::uint32_t flow;
  std::uint32_t turn;  ///< which of the flow's `depth` places it travels in
  std::uint64_t number;
};
static_assert(sizeof(DatagramHeader) == datagram_size_min);

/// What all flows share. Lifetime: outlives them.
struct DatagramTraffic {
  Ring& ring;
  BufferRing& buffers;
  const PatternBlock& pattern;
  const LoadOptions& options;
  std::uint64_t timeout_ns;

  const Schedule* schedule = nullptr;  ///< set in an open loop
  bool measuring = false;
  bool stopping = false;  ///< no new datagram; those in flight are waited for
  bool closing = false;   ///< everything is being cancelled: what ends now is no failure

  std::uint64_t in_flight = 0;  ///< neither answered nor lost
  unsigned flows_lost = 0;
  std::uint64_t content_errors = 0;
  std::uint64_t replies = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  LatencyHistogram latency = {};
  DatagramReport measured = {};
  LoadFailure failure = {};
};

/// Lifetime: until nothing of it is armed.
class Flow {
 public:
  /// @param memory depth datagrams
  Flow(DatagramTraffic& traffic, unsigned number, std::span<std::byte> memory);

  /// Bytes that one takes, with its datagrams.
  static std::uint64_t memory_of(const LoadOptions& options) noexcept {
    return sizeof(Flow) + options.depth * (sizeof(Turn) + sizeof(Turn*) + options.size);
  }

  /// Begins to receive and, except in an open loop, to send. REQUIRES: the connected socket in the
  /// file table at the slot of the same number.
  void start() noexcept;

  /// Open loop: one more datagram is due.
  void add_due() noexcept;

  /// Gives up what has waited for --timeout.
  void expire(std::uint64_t now_ns) noexcept;

  /// Open loop: datagrams that were due and are not sent yet, as `depth` are unanswered.
  std::uint64_t held_back() const noexcept { return held_back_; }

 private:
  enum class Fate : std::uint8_t { unknown, in_flight, answered, lost };

  /// A place for one datagram at a time. Its memory is the kernel's until the send's CQE, and its
  /// number stands for it until the answer or the timeout: it is free after both.
  struct Turn {
    Turn(Flow& flow, std::uint32_t place) noexcept : owner(flow), index(place) {}
    void on_send(Cqe cqe) noexcept { owner.on_send(*this, cqe); }

    Flow& owner;
    const std::uint32_t index;
    std::span<std::byte> memory = {};
    std::uint64_t number = 0;
    std::uint64_t due_ns = 0;
    std::uint64_t sent_ns = 0;
    bool waits = false;     ///< true while an answer is due
    bool measured = false;  ///< it was due while it was measured
    Bind<Send, &Turn::on_send> send{*this};
  };

  void on_recv(Cqe cqe) noexcept;
  void on_send(Turn& turn, Cqe cqe) noexcept;

  void take(std::span<const std::byte> bytes) noexcept;
  void count_stray(std::uint64_t number) noexcept;
  void settle(Turn& turn, Fate fate) noexcept;
  void free_again(Turn& turn) noexcept;
  void send_next(Turn& turn) noexcept;
  Fate& fate_of(std::uint64_t number) noexcept { return fates_[number % fates_.size()]; }
  std::span<const std::byte> content_of(std::uint64_t number) const noexcept;
  void fail_content(const LoadFailure& failure) noexcept;
  void fail(const LoadFailure& failure) noexcept;
  FileSlot slot() const noexcept { return static_cast<FileSlot>(number_); }

  DatagramTraffic& traffic_;
  const unsigned number_;
  bool lost_ = false;
  std::uint64_t next_ = 0;              ///< number of the next datagram
  std::uint64_t answered_highest_ = 0;  ///< one more than the highest number that was answered
  std::uint64_t held_back_ = 0;
  std::deque<Turn> turns_;
  std::vector<Turn*> free_;
  std::vector<Fate> fates_;  ///< of the latest datagrams, by number

  Bind<RecvMultishot, &Flow::on_recv> recv_{*this};
};

}  // namespace lab
