// Connection churn: connect, exchange a few messages, close, and again. What it measures is accept
// and close on the server's side, not echo.
#pragma once

#include <deque>
#include <optional>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "05-performance/ringload/connection.hpp"
#include "05-performance/ringload/interval.hpp"
#include "05-performance/ringload/meter.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/sockets.hpp"
#include "05-performance/ringload/talk.hpp"

namespace lab {

/// What all lanes share. Lifetime: outlives them.
struct ChurnTraffic {
  Ring& ring;
  BufferRing& buffers;
  Talk& talk;
  const LoadOptions& options;
  const ServerAddress& server;

  bool measuring = false;
  bool stopping = false;  ///< no connection is begun; those that live go on to their end
  bool closing = false;   ///< everything is being cancelled: what ends now is no failure

  unsigned lanes_at_rest = 0;
  unsigned lost = 0;
  std::uint64_t content_errors = 0;
  std::uint64_t begun = 0;
  std::uint64_t replies = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  LatencyHistogram latency = {};
  ChurnReport measured = {};
  LoadFailure failure = {};
};

/// One connection after the other on one slot of the file table. The life of a connection:
///   1. socket into the slot, which is empty
///   2. connect
///   3. send and receive, until its messages are answered
///   4. when neither of them is armed any more: close the slot
///   5. the close's CQE: the slot is empty
/// Nothing of one connection can meet the next one, for 4 waits for 3 and 1 waits for 5.
class ChurnLane {
 public:
  ChurnLane(ChurnTraffic& traffic, unsigned number) noexcept : traffic_(traffic), number_(number) {}

  /// REQUIRES: at rest, which it is when it is made and after a connection's end.
  void begin() noexcept;

  /// True when it has waited for so long.
  bool stuck_for(std::uint64_t time_ns) const noexcept {
    return !at_rest_ && traffic_.ring.now_ns() - moved_at_ns_ >= time_ns;
  }
  void expire() noexcept;

 private:
  void on_connect(Cqe cqe) noexcept;
  void on_send(Cqe cqe) noexcept;
  void on_recv(Cqe cqe) noexcept;
  void on_close(Cqe cqe) noexcept;

  void ask() noexcept;
  void send_rest() noexcept;
  void take(std::span<const std::byte> bytes) noexcept;
  void end() noexcept;
  bool all_sent() const noexcept { return sent_ == traffic_.talk.question_size(turn_); }
  std::size_t awaited() const noexcept { return traffic_.talk.answer_size(turn_) - received_; }
  void close_when_idle() noexcept;
  void fail(const LoadFailure& failure) noexcept;
  FileSlot slot() const noexcept { return static_cast<FileSlot>(number_); }

  ChurnTraffic& traffic_;
  const unsigned number_;
  bool at_rest_ = true;
  bool ending_ = false;  ///< true from the last reply, or the failure, until the close's CQE
  bool failed_ = false;
  bool measured_ = false;  ///< begun while it was measured
  std::uint64_t began_ns_ = 0;
  std::uint64_t asked_ns_ = 0;
  std::uint64_t moved_at_ns_ = 0;
  unsigned messages_left_ = 0;
  std::uint32_t turn_ = 0;  ///< which question this message is
  std::size_t send_place_ = 0;
  std::size_t receive_place_ = 0;
  std::size_t sent_ = 0;      ///< bytes of this message
  std::size_t received_ = 0;  ///< bytes of its answer
  std::size_t received_at_move_ = 0;

  Bind<Connect, &ChurnLane::on_connect> connect_{*this};
  Bind<Send, &ChurnLane::on_send> send_{*this};
  Bind<RecvMultishot, &ChurnLane::on_recv> recv_{*this};
  Bind<CloseSlot, &ChurnLane::on_close> close_{*this};
};

/// The run. One ring, one thread.
class Churn {
 public:
  /// @param options what the user asked for; size is that of the largest answer
  /// @param talk what is said and heard, with windows of Traffic::send_max
  /// @throws std::system_error, std::runtime_error: what is missing, and the cure
  Churn(const LoadOptions& options, Talk& talk);
  ~Churn();
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;

  /// Does it all. Once.
  Report run();

 private:
  void run_until(std::uint64_t end_ns, std::uint64_t replies_end) noexcept;
  void drain() noexcept;
  void expire_stuck() noexcept;
  Mark mark();

  void on_tick(Cqe cqe) noexcept;
  void on_cancel(Cqe cqe) noexcept;

  const LoadOptions options_;
  Meter meter_{options_};
  ServerAddress server_;
  Ring ring_;
  FileTable table_;
  BufferRingOptions buffer_options_;
  HugeArena memory_;
  BufferRing buffers_;
  ChurnTraffic traffic_;
  std::deque<ChurnLane> lanes_;

  Bind<Timer, &Churn::on_tick> tick_{*this};
  Bind<Cancel, &Churn::on_cancel> cancel_{*this};
};

}  // namespace lab
