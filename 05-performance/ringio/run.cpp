#include "05-performance/ringio/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "05-performance/bench/memory_available.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "05-performance/ringio/iopoll_probe.hpp"
#include "05-performance/ringio/memory_limit.hpp"

namespace lab {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void pin(const IoOptions& options, unsigned number) {
  if (options.cpus.empty()) return;
  const int cpu = options.cpus[number % options.cpus.size()];
  try {
    pin_to_cpu(cpu);
  } catch (const std::system_error&) {
    throw std::runtime_error(
        fmt::format("--cpus {}: this process may not run there (see taskset -p $$)", cpu));
  }
}

}  // namespace

// Every job has its buffers, and they are touched before the run.
void IoRun::check_memory(const IoOptions& options) {
  need_memory(std::uint64_t{options.jobs} * options.depth * options.block_size,
              fmt::format("--jobs {} x --depth {} x --block-size {}", options.jobs, options.depth,
                          options.block_size),
              "less of one of them");
}

IoRun::IoRun(const IoOptions& options, StopFlag& stop)
    : options_(options), stop_(stop), files_(options), meeting_(options.jobs) {
  progress_ = !options.quiet && isatty(STDERR_FILENO) == 1;
  if (progress_) show_line("laying out the files");
  files_.lay_out(stop);
  if (options.iopoll) {
    for (unsigned file = 0; file < files_.count(); ++file) {
      probe_iopoll(files_.descriptors()[file], files_.names()[file]);
    }
  }
  errors_.resize(options.jobs);
  for (unsigned number = 0; number < options.jobs; ++number) {
    shared_.push_back(std::make_unique<JobShared>());
  }
}

IoRun::~IoRun() { join(); }

IoReport IoRun::run() {
  IoReport report;
  report.interrupted = true;
  if (stop_) return report;  // while the files were being filled
  running_ = options_.jobs;
  for (unsigned number = 0; number < options_.jobs; ++number) start_thread(number);
  meeting_.ready.wait();
  const auto failed = std::ranges::find_if(errors_, [](const auto& error) { return !!error; });
  std::exception_ptr error = failed == errors_.end() ? nullptr : *failed;
  if (error) {
    stop_ = true;
  } else {
    count_unregistered(report);
  }
  meeting_.begin.count_down();
  watch();
  meeting_.ran.wait();
  try {
    if (!error) finish_writes(report);
  } catch (...) {
    error = std::current_exception();
  }
  meeting_.read_back.count_down();
  join();
  if (progress_) show_line("");
  if (error) std::rethrow_exception(error);
  add_results(report);
  return report;
}

void IoRun::start_thread(unsigned number) {
  try {
    threads_.emplace_back([this, number] { run_job(number); });
  } catch (const std::system_error&) {
    errors_[number] = std::make_exception_ptr(std::runtime_error(
        fmt::format("--jobs {}: the system gives no more than {} threads (see ulimit -u)",
                    options_.jobs, number)));
    meeting_.ready.count_down();
    meeting_.ran.count_down();
    const std::lock_guard lock(mutex_);
    --running_;
  }
}

// On the job's thread, for a ring belongs to the thread that made it.
void IoRun::run_job(unsigned number) noexcept {
  std::optional<Job> job;
  try {
    pin(options_, number);
    job.emplace(options_, files_, number, *shared_[number], stop_);
  } catch (...) {
    errors_[number] = std::current_exception();
  }
  meeting_.ready.count_down();
  meeting_.begin.wait();
  if (job) job->run();
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  changed_.notify_one();
  meeting_.ran.count_down();
  meeting_.read_back.wait();
  if (job && read_back_) job->read_back();
}

// What was not asked for must not pass for what was: said before the run and in its report.
void IoRun::count_unregistered(IoReport& report) const {
  for (const auto& shared : shared_) {
    const BufferKind kind = shared->result.buffers;
    if (kind == BufferKind::unregistered) ++report.jobs_unregistered;
    if (kind == BufferKind::registered_plain_pages) ++report.jobs_plain_pages;
  }
  if (!options_.fixed_buffers || report.jobs_unregistered == 0) return;
  const std::uint64_t limit = locked_memory_limit();
  const std::uint64_t all = std::uint64_t{options_.jobs} * options_.block_size;
  // The rings are charged to the same limit on some kernels: half of it is left to them.
  const std::uint64_t depth = limit / 2 / all;
  if (progress_) show_line("");
  complain(
      "ringio: {} of {} jobs run without registered buffers: {} x {} x {} bytes are more than may "
      "be locked in memory (ulimit -l: {} KiB). Cure: {}a higher limit; --no-fixed-buffers means "
      "all jobs to run so",
      report.jobs_unregistered, options_.jobs, options_.jobs, options_.depth, options_.block_size,
      limit >> 10,
      depth > 0 && depth < options_.depth ? fmt::format("--depth {}, or ", depth) : "");
}

// Looks at the counters now and then while the jobs work.
void IoRun::watch() {
  const auto begin = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(options_.warmup_s));
  std::unique_lock lock(mutex_);
  while (running_ > 0) {
    const auto due = begin + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(timeline_.due_s()));
    if (changed_.wait_until(lock, due, [this] { return running_ == 0; })) return;
    const std::uint64_t now = operations();
    timeline_.add(now);
    if (progress_) show_progress(seconds_since(begin), now);
  }
}

// Reading back what lies in the page cache would prove nothing about the disk.
void IoRun::finish_writes(IoReport& report) {
  if (!options_.writes()) return;
  const auto begin = Clock::now();
  if (progress_) show_line("making the writes durable");
  files_.sync();
  report.sync_s = seconds_since(begin);
  read_back_ = options_.verify && !stop_;
  if (progress_ && read_back_) show_line("reading back");
}

void IoRun::show_progress(double now_s, std::uint64_t operations) {
  if (now_s - shown_at_s_ < 0.5) return;
  const double rate = static_cast<double>(operations - shown_operations_) / (now_s - shown_at_s_);
  const std::string of = options_.count
                             ? fmt::format("{} of {}", operations, *options_.count)
                             : fmt::format("{:.0f} of {:g} s", now_s, options_.runtime_s);
  show_line(fmt::format("{}: {:.0f} operations/s, {:.1f} MB/s", of, rate,
                        rate * static_cast<double>(options_.block_size) / 1e6));
  shown_at_s_ = now_s;
  shown_operations_ = operations;
}

std::uint64_t IoRun::operations() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& shared : shared_) sum += shared->operations.get();
  return sum;
}

void IoRun::join() noexcept {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void IoRun::add_results(IoReport& report) const {
  JobResult whole = {.begin_ns = endless, .begin_cpu_ns = endless};
  for (const auto& shared : shared_) {
    const JobResult& result = shared->result;
    whole.begin_ns = std::min(whole.begin_ns, result.begin_ns);
    whole.begin_cpu_ns = std::min(whole.begin_cpu_ns, result.begin_cpu_ns);
    whole.end_ns = std::max(whole.end_ns, result.end_ns);
    whole.end_cpu_ns = std::max(whole.end_cpu_ns, result.end_cpu_ns);
    report.reads += result.reads;
    report.writes += result.writes;
    report.system_calls += result.system_calls;
    report.read_latency.merge(result.read_latency);
    report.write_latency.merge(result.write_latency);
    report.blocks_checked += result.blocks_checked;
    report.content_errors += result.content_errors;
    const bool worse = result.failure.kind != IoFailure::Kind::none &&
                       report.failure.kind != IoFailure::Kind::error;
    if (worse) report.failure = result.failure;
  }
  report.seconds = static_cast<double>(whole.end_ns - whole.begin_ns) * 1e-9;
  report.cpu_s = static_cast<double>(whole.end_cpu_ns - whole.begin_cpu_ns) * 1e-9;
  report.timeline = timeline_;
  report.interrupted = stop_ && report.failure.kind != IoFailure::Kind::error &&
                       report.failure.kind != IoFailure::Kind::short_io;
  report.read_back = read_back_;
  report.names = files_.names();
  report.blocks = files_.blocks();
  report.own = files_.own();
}

}  // namespace lab
