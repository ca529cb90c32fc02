// The run: files, jobs, the beginning that all jobs share, and the end.
#pragma once

#include <condition_variable>
#include <exception>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "05-performance/ringio/file_set.hpp"
#include "05-performance/ringio/job.hpp"
#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/report.hpp"

namespace lab {

class IoRun {
 public:
  /// Makes and fills the files.
  /// @param stop set by Ctrl-C
  /// @throws std::runtime_error, std::system_error: what is missing, and the cure
  IoRun(const IoOptions& options, StopFlag& stop);
  ~IoRun();
  IoRun(const IoRun&) = delete;
  IoRun& operator=(const IoRun&) = delete;

  /// Before any file is made for nothing.
  /// @throws std::runtime_error when the machine has less memory than the buffers take
  static void check_memory(const IoOptions& options);

  /// Does it all. Once.
  /// @throws what the making of a job's ring threw
  IoReport run();

 private:
  // The jobs' threads and main wait for each other at these points, in this order.
  struct Meeting {
    explicit Meeting(unsigned jobs) : ready(jobs), ran(jobs) {}
    std::latch ready;         ///< every job has its ring, or has failed to make it
    std::latch begin{1};      ///< main: go
    std::latch ran;           ///< every job's measured interval is over
    std::latch read_back{1};  ///< main: what was written is durable
  };

  void start_thread(unsigned number);
  void run_job(unsigned number) noexcept;
  void count_unregistered(IoReport& report) const;
  void watch();
  void finish_writes(IoReport& report);
  void show_progress(double now_s, std::uint64_t operations);
  std::uint64_t operations() const noexcept;
  void join() noexcept;
  void add_results(IoReport& report) const;

  const IoOptions& options_;
  StopFlag& stop_;
  FileSet files_;
  std::vector<std::unique_ptr<JobShared>> shared_;
  std::vector<std::exception_ptr> errors_;
  std::vector<std::thread> threads_;
  Meeting meeting_;
  Timeline timeline_;
  bool read_back_ = false;
  bool progress_ = false;
  double shown_at_s_ = 0;
  std::uint64_t shown_operations_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned running_ = 0;  ///< jobs whose interval is not over
};

}  // namespace lab
