// The UDP run: numbered datagrams, closed or open loop, and a timeout for each.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "05-performance/ringload/flow.hpp"
#include "05-performance/ringload/interval.hpp"
#include "05-performance/ringload/meter.hpp"
#include "05-performance/ringload/sockets.hpp"

namespace lab {

/// One ring, one thread, one buffer ring for all flows.
class Datagrams {
 public:
  /// @throws std::system_error, std::runtime_error: what is missing, and the cure
  explicit Datagrams(const LoadOptions& options);
  ~Datagrams();
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  /// Does it all. Once.
  Report run();

 private:
  void run_until(std::uint64_t end_ns) noexcept;
  void drain() noexcept;
  void add_due(std::uint64_t now_ns) noexcept;
  std::uint64_t dropped_by_our_sockets() const;

  void on_tick(Cqe cqe) noexcept;
  void on_due(Cqe cqe) noexcept;
  void on_cancel(Cqe cqe) noexcept;

  const LoadOptions options_;
  Meter meter_{options_};
  ServerAddress server_;
  Ring ring_;
  FileTable table_;
  BufferRingOptions buffer_options_;
  HugeArena buffer_memory_;
  BufferRing buffers_;
  PatternBlock pattern_;
  DatagramTraffic traffic_;
  HugeArena send_memory_;
  // Beside their slots, for what only a descriptor can be asked: how many datagrams were dropped.
  std::vector<Fd> sockets_;
  std::deque<Flow> flows_;
  std::optional<Schedule> schedule_;
  std::uint64_t next_due_ = 0;
  std::uint64_t tick_ns_;

  Bind<Timer, &Datagrams::on_tick> tick_{*this};
  Bind<Timer, &Datagrams::on_due> due_timer_{*this};
  Bind<Cancel, &Datagrams::on_cancel> cancel_{*this};
};

}  // namespace lab
