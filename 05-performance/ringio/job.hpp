// One job: a thread's ring, and a fixed number of slots that each keep one operation in flight.
//
//   start()  -> a read or a write of the slot's next block
//   on_read, on_write -> count it, then start() again, until the time or the count is over
//
// Lifetime: made, run and destroyed on one thread (SINGLE_ISSUER). Nothing is allocated after the
// constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/registered_buffers.hpp"
#include "02-files/lib/write.hpp"
#include "05-performance/lib/latency_histogram.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "05-performance/ringio/block_map.hpp"
#include "05-performance/ringio/block_stamp.hpp"
#include "05-performance/ringio/file_set.hpp"
#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/xorshift.hpp"

namespace lab {

/// The first thing that went wrong: kept as numbers, for the loop does not build texts.
struct IoFailure {
  enum class Kind { none, error, short_io, content };

  Kind kind = Kind::none;
  bool reading = false;
  unsigned file = 0;
  std::uint64_t offset = 0;
  int res = 0;  ///< of the operation: -errno, or bytes
  BlockFault fault = BlockFault::none;
};

/// What a job's buffers are to the kernel.
enum class BufferKind { unregistered, registered_plain_pages, registered_huge_pages };

/// What one job did in the measured interval.
struct JobResult {
  BufferKind buffers = BufferKind::unregistered;  ///< known when the job is made
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t begin_cpu_ns = 0;  ///< CPU time of the process, with all its threads
  std::uint64_t end_cpu_ns = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t system_calls = 0;
  LatencyHistogram read_latency;
  LatencyHistogram write_latency;

  std::uint64_t blocks_checked = 0;  ///< --verify, in the run and after it
  std::uint64_t content_errors = 0;
  IoFailure failure;
};

/// What main and a job share while it runs. Its own cache lines: the job writes all the time.
struct alignas(128) JobShared {
  Counter operations;  ///< of the measured interval, for whoever shows the progress
  JobResult result;    ///< the job's, until its thread has ended
};

class Job {
 public:
  /// Makes the ring, the buffers and the slots.
  /// @param number of the job, 0 to options.jobs - 1: it decides which part of each file is its own
  /// @throws std::system_error, std::runtime_error: what is missing, and the cure
  Job(const IoOptions& options, const FileSet& files, unsigned number, JobShared& shared,
      StopFlag& stop);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// Warms up, measures, and lets what is in flight come home. Once.
  void run() noexcept;

  /// --verify: reads the job's blocks again and checks them. After run().
  void read_back() noexcept;

 private:
  enum class Phase { warm_up, measuring, draining, read_back };

  class Slot {
   public:
    Slot(Job& job, std::span<std::byte> memory, int registered_buffer) noexcept
        : job_(job), memory_(memory), registered_buffer_(registered_buffer) {}

    void start() noexcept;

   private:
    void start_read() noexcept;
    void start_write() noexcept;
    void on_read(Cqe cqe) noexcept;
    void on_write(Cqe cqe) noexcept;

    Job& job_;
    const std::span<std::byte> memory_;
    const int registered_buffer_;
    BlockPlace place_{};
    std::uint64_t started_at_ns_ = 0;
    Bind<Read, &Slot::on_read> read_{*this};
    Bind<Write, &Slot::on_write> write_{*this};
  };

  void register_files(const FileSet& files);
  void make_buffers();
  bool register_buffers();
  void start_all() noexcept;
  void begin_measuring() noexcept;
  void end_measuring() noexcept;
  std::uint64_t share_of_count() const noexcept;

  BlockPlace next_place() noexcept;
  bool next_is_read() noexcept;
  BlockStamp stamp_of(const BlockPlace& place, std::uint32_t generation) const noexcept;
  template <class Operation>
  void start(Operation& operation, const typename Operation::What& what, unsigned file) noexcept {
    if (options_.fixed_files) {
      operation.start(ring_, FileSlot{file}, what);
    } else {
      operation.start(ring_, files_[file], what);
    }
  }
  void count(LatencyHistogram& latency, std::uint64_t& operations,
             std::uint64_t started_at_ns) noexcept;
  bool right_size(Cqe cqe, const BlockPlace& place, bool reading) noexcept;
  void check_content(std::span<const std::byte> block, const BlockPlace& place) noexcept;
  void fail(const IoFailure& failure) noexcept;

  const IoOptions& options_;
  const std::vector<Fd>& files_;
  StopFlag& stop_;
  JobShared& shared_;
  JobResult& result_;
  const unsigned number_;
  const bool own_content_;  ///< the blocks were laid out with stamps

  Ring ring_;
  std::optional<FileTable> table_;
  std::optional<HugeArena> memory_;
  std::optional<RegisteredBuffers> buffers_;
  BlockMap map_;
  Xorshift random_;

  Phase phase_ = Phase::warm_up;
  std::uint64_t measure_from_ns_ = 0;
  std::uint64_t until_ns_ = ~std::uint64_t{0};
  std::uint64_t left_ = 0;           ///< operations that may still begin
  std::uint64_t enters_before_ = 0;  ///< system calls before the measured interval
  std::deque<Slot> slots_;
};

}  // namespace lab
