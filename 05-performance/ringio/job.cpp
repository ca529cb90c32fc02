#include "05-performance/ringio/job.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/ringio/memory_limit.hpp"

namespace lab {

namespace {

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

// Of all threads, also of those that the kernel runs for the ring.
std::uint64_t process_cpu_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// The submission queue is small on purpose. When it is full, what is in it goes out (Ring::sqe), so
// the device has work while the rest of a batch of completions is being handled. With one call for
// all of them it would stand still meanwhile.
RingOptions ring_options(const IoOptions& options) {
  RingOptions ring = RingPreset::file_io({.depth = options.depth, .submit = options.submit});
  ring.sqpoll = options.sqpoll;
  ring.iopoll = options.iopoll;
  return ring;
}

}  // namespace

Job::Job(const IoOptions& options, const FileSet& files, unsigned number, JobShared& shared,
         StopFlag& stop)
    : options_(options),
      files_(files.descriptors()),
      stop_(stop),
      shared_(shared),
      result_(shared.result),
      number_(number),
      own_content_(files.own()),
      ring_(ring_options(options)),
      map_({.files = files.count(),
            .blocks = files.blocks(),
            .block_size = options.block_size,
            .jobs = options.jobs,
            .job = number,
            .track = options.verify}),
      random_(options.seed * 1024 + number) {
  if (options.fixed_files) register_files(files);
  make_buffers();
  for (unsigned index = 0; index < options.depth; ++index) {
    const auto memory =
        memory_->memory().subspan(std::size_t{index} * options.block_size, options.block_size);
    fill_block(memory, {.seed = options.seed, .offset = index});
    slots_.emplace_back(*this, memory, buffers_ ? static_cast<int>(index) : -1);
  }
}

Job::~Job() { LAB_ASSERT(ring_.armed_count() == 0); }

void Job::register_files(const FileSet& files) {
  std::vector<int> descriptors;
  for (const Fd& fd : files.descriptors()) descriptors.push_back(fd.get());
  table_.emplace(ring_, descriptors);
}

// Registered memory is charged to the user's limit, and a huge page as a whole, however little of
// it the buffers take. Where the limit has no room for that, plain pages do.
void Job::make_buffers() {
  const std::size_t size = std::size_t{options_.depth} * options_.block_size;
  if (!options_.fixed_buffers) {
    memory_.emplace(size);
    return;
  }
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::uint64_t charge = (size + huge_page - 1) / huge_page * huge_page;
  if (charge <= locked_memory_limit() / options_.jobs) {
    memory_.emplace(size);
    if (register_buffers()) return;
  }
  memory_.emplace(size, HugeArena::Pages::plain);
  register_buffers();
}

// False when the limit has no room for them. The run goes on without, and says so.
bool Job::register_buffers() {
  try {
    buffers_.emplace(ring_, memory_->memory(), options_.block_size);
  } catch (const std::system_error& error) {
    if (error.code().value() != ENOMEM) throw;
    return false;
  }
  result_.buffers = memory_->pages() == HugeArena::Pages::plain ? BufferKind::registered_plain_pages
                                                                : BufferKind::registered_huge_pages;
  return true;
}

void Job::run() noexcept {
  ring_.run_once(0);  // the ring's clock stands since its latest call, before the buffers were made
  measure_from_ns_ = ring_.now_ns() + to_ns(options_.warmup_s);
  left_ = options_.count ? share_of_count() : endless;
  if (options_.warmup_s == 0) begin_measuring();
  start_all();
  while (ring_.armed_count() > 0) {
    ring_.run_once(std::min(options_.batch, ring_.armed_count()));
    if (phase_ == Phase::warm_up && ring_.now_ns() >= measure_from_ns_) begin_measuring();
    shared_.operations.set(result_.reads + result_.writes);
    const bool over = ring_.now_ns() >= until_ns_ || stop_.load(std::memory_order_relaxed);
    if (phase_ != Phase::draining && over) end_measuring();
  }
  if (phase_ != Phase::draining) end_measuring();
}

void Job::read_back() noexcept {
  if (result_.failure.kind == IoFailure::Kind::error) return;
  phase_ = Phase::read_back;
  left_ = map_.count();
  map_.rewind();
  start_all();
  while (ring_.armed_count() > 0) {
    ring_.run_once();
    if (stop_.load(std::memory_order_relaxed)) left_ = 0;
  }
}

// A count is divided evenly; the first jobs take what remains.
std::uint64_t Job::share_of_count() const noexcept {
  return *options_.count / options_.jobs + (number_ < *options_.count % options_.jobs ? 1 : 0);
}

// What is in flight here counts when it ends, with all of its latency.
void Job::begin_measuring() noexcept {
  phase_ = Phase::measuring;
  result_.begin_ns = ring_.now_ns();
  if (!options_.count) until_ns_ = result_.begin_ns + to_ns(options_.runtime_s);
  result_.begin_cpu_ns = process_cpu_ns();
  enters_before_ = ring_.counters().enters;
}

// What is in flight here comes home uncounted: it did not end within the interval.
void Job::end_measuring() noexcept {
  result_.end_ns = ring_.now_ns();
  result_.end_cpu_ns = process_cpu_ns();
  if (phase_ == Phase::warm_up) {  // ended by Ctrl-C: nothing was measured
    result_.begin_ns = result_.end_ns;
    result_.begin_cpu_ns = result_.end_cpu_ns;
    enters_before_ = ring_.counters().enters;
  }
  result_.system_calls = ring_.counters().enters - enters_before_;
  phase_ = Phase::draining;
}

void Job::start_all() noexcept {
  for (Slot& slot : slots_) slot.start();
}

void Job::Slot::start() noexcept {
  if (job_.left_ == 0 || job_.phase_ == Phase::draining) return;
  --job_.left_;
  started_at_ns_ = job_.ring_.now_ns();
  place_ = job_.next_place();
  job_.map_.begin(place_);
  job_.next_is_read() ? start_read() : start_write();
}

void Job::Slot::start_read() noexcept {
  job_.start(read_,
             {.memory = memory_, .offset = place_.offset, .registered_buffer = registered_buffer_},
             place_.file);
}

void Job::Slot::start_write() noexcept {
  if (job_.options_.verify) {
    fill_block(memory_, job_.stamp_of(place_, job_.map_.generation(place_) + 1));
  }
  job_.start(write_,
             {.bytes = memory_, .offset = place_.offset, .registered_buffer = registered_buffer_},
             place_.file);
}

void Job::Slot::on_read(Cqe cqe) noexcept {
  job_.map_.end(place_);
  if (!job_.right_size(cqe, place_, true)) return;
  job_.count(job_.result_.read_latency, job_.result_.reads, started_at_ns_);
  if (job_.options_.verify) job_.check_content(memory_, place_);
  start();
}

void Job::Slot::on_write(Cqe cqe) noexcept {
  job_.map_.end(place_);
  if (!job_.right_size(cqe, place_, false)) return;
  job_.count(job_.result_.write_latency, job_.result_.writes, started_at_ns_);
  if (job_.options_.verify) {
    job_.map_.set_generation(place_, job_.map_.generation(place_) + 1);
  }
  start();
}

BlockPlace Job::next_place() noexcept {
  const bool in_order = options_.access == IoAccess::sequential || phase_ == Phase::read_back;
  return in_order ? map_.sequential() : map_.random(random_);
}

bool Job::next_is_read() noexcept {
  if (options_.mode == IoMode::mixed && phase_ != Phase::read_back) {
    return random_.below(100) < options_.read_share;
  }
  return options_.mode == IoMode::read || phase_ == Phase::read_back;
}

BlockStamp Job::stamp_of(const BlockPlace& place, std::uint32_t generation) const noexcept {
  return {
      .seed = options_.seed, .file = place.file, .offset = place.offset, .generation = generation};
}

void Job::count(LatencyHistogram& latency, std::uint64_t& operations,
                std::uint64_t started_at_ns) noexcept {
  if (phase_ != Phase::measuring) return;
  ++operations;
  latency.record(ring_.now_ns() - started_at_ns);
}

// A slot that fails does not start again, and all others come to an end.
bool Job::right_size(Cqe cqe, const BlockPlace& place, bool reading) noexcept {
  if (cqe.res == static_cast<std::int32_t>(options_.block_size)) return true;
  fail({.kind = cqe.res < 0 ? IoFailure::Kind::error : IoFailure::Kind::short_io,
        .reading = reading,
        .file = place.file,
        .offset = place.offset,
        .res = cqe.res});
  return false;
}

void Job::check_content(std::span<const std::byte> block, const BlockPlace& place) noexcept {
  const std::uint32_t generation = map_.generation(place);
  const bool known = own_content_ || generation > 0;
  // An existing file that is being written: what was there before is not ours.
  if (!known && options_.writes()) return;
  ++result_.blocks_checked;
  const BlockFault fault = check_block(block, stamp_of(place, generation), known);
  if (fault == BlockFault::none) return;
  ++result_.content_errors;
  if (result_.failure.kind != IoFailure::Kind::none) return;
  result_.failure = {.kind = IoFailure::Kind::content,
                     .reading = true,
                     .file = place.file,
                     .offset = place.offset,
                     .fault = fault};
}

void Job::fail(const IoFailure& failure) noexcept {
  const bool worse = result_.failure.kind == IoFailure::Kind::content;
  if (worse || result_.failure.kind == IoFailure::Kind::none) result_.failure = failure;
  stop_.store(true, std::memory_order_relaxed);
}

}  // namespace lab
