#include "05-performance/ringio/options.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <limits>

#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/operands.hpp"
#include "05-performance/bench/say.hpp"

namespace lab {

namespace {

constexpr const char* description =
    R"(ringio: measures files and disks over io_uring: operations a second, latency, CPU.

Each job is a thread with a ring and keeps --depth operations in flight: when one ends,
the next begins. More depth gives more operations a second until the device is full;
from there on it gives only latency. Direct (default) asks the device, --buffered asks
the page cache, which is mostly memory.

Without FILE it makes files of its own and removes them. It writes only files that it
has made itself: existing files and devices need a flag of their own.)";

constexpr const char* examples = R"(
Examples:
  ringio
      4 KiB random direct reads, depth 32, 5 seconds, a file of 1 GiB made and removed.
  ringio --depth 1
      The latency of the device: nobody else stands in the queue.
  ringio --sequential --block-size 1MiB --depth 8 --mode write --size 4GiB
      The throughput of large writes.
  ringio --mode mixed --read-share 70 --jobs 4 --runtime 60 --plot plots
      Four threads, 70 % reads; pictures of the latency and of the course of the run.
  ringio --mode write --verify --keep new.dat && ringio --verify new.dat
      Every block says where it belongs: what was damaged or lost is found and named.
  ringio --buffered /var/log/syslog --size 64KiB
      An existing file may always be read.

Exit code: 0 all was well; 1 an operation failed or a block was wrong; 2 the run could not
begin, or its result or the pictures of --plot could not be written; 130 it was ended by
Ctrl-C (what was measured until then is reported).)";

constexpr std::uint64_t block_size_min = 512;
constexpr std::uint64_t size_max = std::uint64_t{1} << 60;
// CLI11 reads "-1" as 2^64 - 1, and what is larger than that as the same: neither is in the range.
constexpr std::uint64_t seed_max = std::numeric_limits<std::int64_t>::max();

void add_file_options(CommandLine& line, IoOptions& options) {
  const std::string group = "Files";
  line.add_option("--directory", options.directory,
                  "Where files of its own are made (TMPDIR, else the working folder)")
      .group(group);
  line.add_option("-f,--files", options.files, "How many files of its own")
      .check(in_range(1U, 1'000'000U))
      .capture_default_str()
      .group(group);
  line.add_option("-s,--size", options.size,
                  "Bytes of each file that are used (64MiB, 4GiB); of its own 1GiB unless named")
      .take_unit()
      .check(in_range(block_size_min, size_max))
      .group(group);
  line.add_flag("--overwrite", options.overwrite,
                "Existing files may be written: their content is lost")
      .group(group);
  line.add_flag("--overwrite-device", options.overwrite_device,
                "Block devices may be written: what is on them is lost. Never one that is in use")
      .group(group);
  line.add_flag("--keep", options.keep, "Do not remove the files it has made").group(group);
}

void add_load_options(CommandLine& line, IoOptions& options) {
  const std::string group = "Load";
  line.add_choice("-m,--mode", options.mode,
                  {{"read", IoMode::read}, {"write", IoMode::write}, {"mixed", IoMode::mixed}},
                  "read (unless named), write or mixed")

      .option_text("MODE")
      .group(group);
  line.add_flag_callback(
          "--sequential", [&options] { options.access = IoAccess::sequential; },
          "One block after the other; otherwise blocks are picked at random")
      .group(group);
  line.add_option("--read-share", options.read_share, "Percent of reads when mixed")
      .check(in_range(0U, 100U))
      .capture_default_str()
      .group(group);
  line.add_option("-b,--block-size", options.block_size, "Bytes of one operation (4KiB, 1MiB)")
      .take_unit()
      .check(in_range(block_size_min, std::uint64_t{64} << 20))
      .capture_default_str()
      .group(group);
  line.add_option("-d,--depth", options.depth, "Operations that a job keeps in flight")
      .check(in_range(1U, 16384U))
      .capture_default_str()
      .group(group);
  line.add_option("-j,--jobs", options.jobs, "Threads; they divide each file among them")
      .check(in_range(1U, 1024U))
      .capture_default_str()
      .group(group);
}

void add_way_options(CommandLine& line, IoOptions& options) {
  const std::string group = "How the kernel is asked";
  line.add_flag("!--buffered", options.direct, "Through the page cache; otherwise O_DIRECT")
      .group(group);
  line.add_flag("!--no-fixed-buffers", options.fixed_buffers,
                "Do not register the buffers: each operation pins its memory anew")
      .group(group);
  line.add_flag("!--no-fixed-files", options.fixed_files,
                "Do not register the files: each operation looks its descriptor up")
      .group(group);
  const CommandOption iopoll =
      line.add_flag("--iopoll", options.iopoll,
                    "Look for completions instead of waiting for an interrupt; the device needs "
                    "poll queues (NVMe: nvme.poll_queues=1)")
          .group(group);
  iopoll.excludes(line.get_option("--buffered"));
  line.add_flag("--sqpoll", options.sqpoll,
                "A thread of the kernel submits; it takes a core for itself")
      .group(group);
  line.add_option("--batch", options.batch,
                  "Completions to wait for: more of them cost fewer system calls and more latency")
      .check(in_range(1U, 16384U))
      .capture_default_str()
      .group(group);
  line.add_option("--submit", options.submit,
                  "Operations to gather before they go out: more of them cost fewer system calls, "
                  "but the device waits for its work")
      .check(in_range(1U, 16384U))
      .capture_default_str()
      .group(group);
  line.add_option("--cpus", options.cpus, "Pin the jobs to these processors in turn (0,1)")
      .delimiter(',')
      .allow_extra_args(false)
      .check(in_range(0, 4095))
      .group(group);
}

void add_time_options(CommandLine& line, IoOptions& options) {
  const std::string group = "How long";
  line.add_option("--warmup", options.warmup_s, "Seconds of load before measuring begins")
      .check(in_range(0.0, 3600.0))
      .capture_default_str()
      .group(group);
  const CommandOption runtime =
      line.add_option("-t,--runtime", options.runtime_s, "Seconds to measure")
          .check(in_range(0.01, 86400.0))
          .capture_default_str()
          .group(group);
  line.add_option("-n,--count", options.count, "Exactly this many operations, over all jobs")
      .check(in_range<std::uint64_t>(1, std::uint64_t{1} << 50))
      .excludes(runtime)
      .group(group);
}

void add_output_options(CommandLine& line, IoOptions& options) {
  line.add_flag("--verify", options.verify,
                "Blocks carry their place, the seed and a checksum. Reads check them; what was "
                "written is read back at the end")
      .group("Content");
  line.add_option("--seed", options.seed, "Of the random places and of the content")
      .check(in_range<std::uint64_t>(0, seed_max))
      .capture_default_str()
      .group("Content");
  const std::string group = "Output";
  line.add_flag("--histogram", options.histogram, "Draw the latencies as bars").group(group);
  line.add_flag("--json", options.json, "Print the result as one JSON object on stdout")
      .group(group);
  line.add_option("--plot", options.plot,
                  "Folder for latency.svg and iops.svg (gnuplot), with their data")
      .group(group);
  line.add_flag("-q,--quiet", options.quiet, "No progress line (there is none without a terminal)")
      .group(group);
}

// What no single option can know.
void check_together(const IoOptions& options, const CommandLine& line) {
  const auto refuse = [&](const char* option, const std::string& text) {
    line.refuse(option, text);
  };
  if (line.count("--read-share") > 0 && options.mode != IoMode::mixed) {
    refuse("--read-share", "only with --mode mixed");
  }
  if (!options.paths.empty() && line.count("--files") > 0) {
    refuse("--files", "only without FILE: these are files of its own");
  }
  // Before a file is made for nothing.
  if (options.size && *options.size < options.block_size) {
    refuse("--size", fmt::format("{} bytes are less than one block of {} (--block-size)",
                                 *options.size, options.block_size));
  }
  if (options.batch > options.depth) {
    refuse("--batch",
           fmt::format("{} completions never come with --depth {}", options.batch, options.depth));
  }
  if (options.verify && options.block_size % 8 != 0) {
    refuse("--verify", "--block-size must be a multiple of 8, as the checksum takes whole words");
  }
  if (options.count && *options.count < options.jobs) {
    refuse("--count", fmt::format("{} is less than one operation for each of the {} jobs",
                                  *options.count, options.jobs));
  }
  if (options.count && options.warmup_s > 0) refuse("--warmup", "not with --count");
}

}  // namespace

IoOptions parse_options(int argc, char** argv) {
  IoOptions options;
  CommandLine line("ringio", description);
  line.footer(examples);
  line.column_width(34);
  line.add_option(
          "FILE", options.paths,
          "Files or devices to use; new ones are made (to write). After -- a name may begin "
          "with a dash")
      .type_name("")
      .check(not_empty());
  add_file_options(line, options);
  add_load_options(line, options);
  add_way_options(line, options);
  add_time_options(line, options);
  add_output_options(line, options);
  line.parse(operands_as_written(argc, argv));
  check_together(options, line);
  return options;
}

}  // namespace lab
