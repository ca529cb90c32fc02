// The run: connect, warm up, measure, let what is in flight come home, cancel the rest.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "05-performance/ringload/connection.hpp"
#include "05-performance/ringload/interval.hpp"
#include "05-performance/ringload/meter.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/schedule.hpp"
#include "05-performance/ringload/silence.hpp"
#include "05-performance/ringload/sockets.hpp"
#include "05-performance/ringload/talk.hpp"

namespace lab {

/// One ring, one thread, one buffer ring for all connections. Memory is allocated before the load
/// begins, and one system call submits everything that a round of replies led to.
class Load {
 public:
  /// @param options what the user asked for; size is that of the largest answer
  /// @param talk what is said and heard, with windows of Traffic::send_max
  /// @throws std::system_error, std::runtime_error: what is missing, and the cure
  Load(const LoadOptions& options, Talk& talk);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Does it all. Once.
  /// @throws std::runtime_error when the server cannot be reached
  Report run();

 private:
  void open_sockets();
  void connect_all();
  void begin_load();
  unsigned run_once() noexcept;
  unsigned look_round() noexcept;
  void run_until(std::uint64_t end_ns, std::uint64_t replies_end) noexcept;
  void drain() noexcept;
  void add_due(std::uint64_t now_ns) noexcept;
  Mark mark();
  Report report(const Interval& interval) const;
  bool given_up() noexcept;
  void show_progress() noexcept;

  void on_tick(Cqe cqe) noexcept;
  void on_due(Cqe cqe) noexcept;
  void on_cancel(Cqe cqe) noexcept;

  const LoadOptions options_;
  Meter meter_{options_};
  ServerAddress server_{};
  Ring ring_;
  FileTable table_;
  BufferRingOptions buffer_options_;
  HugeArena memory_;
  BufferRing buffers_;
  Traffic traffic_;
  std::vector<std::uint64_t> asked_at_ns_;
  std::deque<Connection> connections_;
  // --spin: everybody in the order in which answers are expected, a circle that begins at front_.
  std::vector<Connection*> circle_;
  std::size_t front_ = 0;
  unsigned empty_rounds_ = 0;
  std::vector<std::byte> look_memory_;
  std::optional<Schedule> schedule_;

  Silence silence_{options_};
  std::uint64_t next_due_ = 0;  ///< number of the next message of an open loop
  std::uint64_t idle_ns_ = 0;   ///< --spin: time in rounds that found nothing
  bool progress_ = false;
  std::uint64_t shown_at_ns_ = 0;
  std::uint64_t shown_replies_ = 0;

  Bind<Timer, &Load::on_tick> tick_{*this};
  Bind<Timer, &Load::on_due> due_timer_{*this};
  Bind<Cancel, &Load::on_cancel> cancel_{*this};
};

}  // namespace lab
