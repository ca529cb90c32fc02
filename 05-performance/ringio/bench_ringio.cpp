// fio against ringio: the same reads of the same file, in short interleaved rounds, so that a noisy
// machine disturbs both alike.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/json_field.hpp"
#include "05-performance/bench/program.hpp"
#include "05-performance/bench/results.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "05-performance/ringio/comparison.hpp"
#include "05-performance/ringio/measured_program.hpp"
#include "05-performance/ringio/xorshift.hpp"

namespace lab {

namespace {

volatile std::sig_atomic_t stop_requested = 0;
extern "C" void on_signal(int) { stop_requested = 1; }

struct BenchIoOptions {
  std::string directory;
  std::string output = "ringio-bench";
  std::string ringio;
  std::string fio = "fio";
  std::uint64_t size = std::uint64_t{1} << 30;
  unsigned rounds = 15;
  unsigned seconds = 2;  ///< whole ones: fio takes no others
  std::vector<unsigned> depths{1, 32, 128};
  std::optional<int> cpu;
  bool plain = true;
  bool priority = true;
  bool brief = false;
};

using Words = std::vector<std::string>;

/// The file that both read. It has no name any more when the first of them opens it, through
/// /proc: whatever ends this program, nothing is left on the disk.
class BenchFile {
 public:
  BenchFile(const std::string& folder, std::uint64_t size);

  const std::string& path() const noexcept { return path_; }

 private:
  void write_all(std::uint64_t size);

  Fd fd_;
  std::string path_;
};

BenchFile::BenchFile(const std::string& folder, std::uint64_t size) {
  std::string name = folder + "/bench-ringio-XXXXXX";
  fd_ = Fd(mkostemp(name.data(), O_CLOEXEC));
  if (!fd_) {
    throw std::runtime_error(fmt::format("no file can be made in {}: {}. Cure: --directory DIR",
                                         folder, std::system_category().message(errno)));
  }
  unlink(name.c_str());
  path_ = fmt::format("/proc/{}/fd/{}", getpid(), fd_.get());
  if (const int error = posix_fallocate(fd_.get(), 0, static_cast<off_t>(size)); error != 0) {
    throw std::system_error(error, std::generic_category(),
                            "making the file (smaller: --size; elsewhere: --directory)");
  }
  write_all(size);
  check_errno(fsync(fd_.get()), "fsync");
  posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
}

// Random words: a device that packs or finds zeros would answer faster than it does in life.
void BenchFile::write_all(std::uint64_t size) {
  std::vector<std::uint64_t> chunk((std::size_t{1} << 20) / sizeof(std::uint64_t));
  Xorshift random(1);
  for (std::uint64_t done = 0; done < size;) {
    if (stop_requested != 0) throw std::runtime_error("stopped");
    for (std::uint64_t& word : chunk) word = random.next();
    const std::size_t count = std::min<std::uint64_t>(size - done, chunk.size() * 8);
    const ssize_t res = pwrite(fd_.get(), chunk.data(), count, static_cast<off_t>(done));
    if (res < 0) throw std::system_error(errno, std::generic_category(), "writing the file");
    done += static_cast<std::uint64_t>(res);
  }
}

/// fio's JSON has blanks before its colons.
std::string without_blanks(std::string text) {
  std::erase_if(text, [](char letter) { return letter == ' ' || letter == '\n'; });
  return text;
}

double field(const std::string& json, std::string_view name) {
  const auto value = json_number(json, name);
  if (!value) throw std::runtime_error(fmt::format("no \"{}\" in the program's JSON", name));
  return *value;
}

class BenchIo {
 public:
  explicit BenchIo(const BenchIoOptions& options);
  const IoComparison& run();

 private:
  Words fio_words(const IoRow& row) const;
  Words ringio_words(const IoRow& row) const;
  IoSample run_fio(const IoRow& row) const;
  IoSample run_ringio(const IoRow& row) const;
  double start_cost(Words words, const Words& hardly_anything) const;
  void show_progress(std::size_t done, std::size_t all) const;

  const BenchIoOptions& options_;
  const int cpu_;
  IoComparison results_;  // asks for fio's version: before a file is made for nothing
  BenchFile file_;
};

std::string fio_version(const BenchIoOptions& options) {
  try {
    const std::string text = run_measured({options.fio, "--version"}, -1).output;
    return text.substr(0, text.find('\n'));
  } catch (const std::exception&) {
    throw std::runtime_error(
        fmt::format("{} cannot be run. Cure: install the package fio (apt install fio), or name "
                    "the program with --fio",
                    options.fio));
  }
}

// Whether it may be used is tried on a thread that ends: this one's mask is what the list is from.
int processor(const BenchIoOptions& options) {
  const std::vector<int> cpus = allowed_cpus();
  if (!options.cpu) return cpus.back();
  bool usable = true;
  std::thread([&] {
    try {
      pin_to_cpu(*options.cpu);
    } catch (const std::system_error&) {
      usable = false;
    }
  }).join();
  if (usable) return *options.cpu;
  throw std::runtime_error(
      fmt::format("--cpu {}: there is no such processor, or this process may not run there. It "
                  "may run on {} (see taskset -p $$)",
                  *options.cpu, fmt::join(cpus, ", ")));
}

BenchIo::BenchIo(const BenchIoOptions& options)
    : options_(options),
      cpu_(processor(options)),
      results_{.fio_version = fio_version(options)},
      file_(options.directory, options.size) {
  const std::string priority = options.priority ? take_priority() : "ordinary";
  results_.machine = machine_text(find_circumstances());
  results_.settings = fmt::format(
      "4 KiB random direct reads of {} MiB, both on processor {}; {} rounds of {} s each; "
      "priority: {}",
      options.size >> 20, cpu_, options.rounds, options.seconds, priority);
  for (const unsigned depth : options.depths) {
    results_.rows.push_back({.depth = depth, .tuned = true});
    if (options.plain) results_.rows.push_back({.depth = depth, .tuned = false});
  }
}

const IoComparison& BenchIo::run() {
  const IoRow row{.depth = 32};
  results_.fio_start_s = start_cost(fio_words(row), {"--number_ios=32"});
  results_.ringio_start_s = start_cost(ringio_words(row), {"--count", "32"});
  std::mt19937 random(1);
  const std::size_t all = options_.rounds * results_.rows.size();
  for (unsigned round = 0; round < options_.rounds; ++round) {
    for (std::size_t place = 0; place < results_.rows.size(); ++place) {
      if (stop_requested != 0) throw std::runtime_error("stopped");
      show_progress(results_.pairs.size(), all);
      IoPair pair{.row = place, .round = round};
      const bool fio_first = random() % 2 == 0;
      if (fio_first) pair.fio = run_fio(results_.rows[place]);
      pair.ringio = run_ringio(results_.rows[place]);
      if (!fio_first) pair.fio = run_fio(results_.rows[place]);
      results_.pairs.push_back(pair);
    }
  }
  if (isatty(STDERR_FILENO) == 1) show_line("");
  return results_;
}

// Without a random map, as ringio has none: picking blocks is to cost both the same. As a thread: a
// process of fio's begins a session of its own, which would not have our priority.
Words BenchIo::fio_words(const IoRow& row) const {
  Words words{options_.fio,
              "--name=bench",
              "--thread",
              "--filename=" + file_.path(),
              "--readonly",
              "--rw=randread",
              "--ioengine=io_uring",
              "--direct=1",
              "--bs=4k",
              fmt::format("--iodepth={}", row.depth),
              "--norandommap",
              "--randrepeat=0",
              fmt::format("--size={}", options_.size),
              "--output-format=json"};
  if (row.tuned) words.insert(words.end(), {"--fixedbufs", "--registerfiles"});
  return words;
}

Words BenchIo::ringio_words(const IoRow& row) const {
  Words words{options_.ringio, file_.path(), "--depth", fmt::format("{}", row.depth),
              "--json",        "--quiet"};
  if (!row.tuned) words.insert(words.end(), {"--no-fixed-buffers", "--no-fixed-files"});
  return words;
}

IoSample BenchIo::run_fio(const IoRow& row) const {
  Words words = fio_words(row);
  words.insert(words.end(), {"--time_based", fmt::format("--runtime={}", options_.seconds)});
  const ProgramCost cost = run_measured(words, cpu_);
  const std::string json = without_blanks(cost.output);
  const double iops = field(json, "iops");
  // usr_cpu and sys_cpu are percent of the job's time.
  return {.iops = iops,
          .cpu_us = (cost.cpu_s - results_.fio_start_s) * 1e6 / field(json, "total_ios"),
          .own_us = (field(json, "usr_cpu") + field(json, "sys_cpu")) * 1e4 / iops,
          .p50_us = field(json, "50.000000") / 1e3,
          .p99_us = field(json, "99.000000") / 1e3};
}

IoSample BenchIo::run_ringio(const IoRow& row) const {
  Words words = ringio_words(row);
  words.insert(words.end(), {"--runtime", fmt::format("{}", options_.seconds)});
  const ProgramCost cost = run_measured(words, cpu_);
  return {.iops = field(cost.output, "operations_per_second"),
          .cpu_us = (cost.cpu_s - results_.ringio_start_s) * 1e6 / field(cost.output, "operations"),
          .own_us = field(cost.output, "us_per_operation"),
          .p50_us = field(cost.output, "p50") / 1e3,
          .p99_us = field(cost.output, "p99") / 1e3};
}

// fio's start-up takes more CPU time than half a second of reads, which says nothing about reads.
double BenchIo::start_cost(Words words, const Words& hardly_anything) const {
  words.insert(words.end(), hardly_anything.begin(), hardly_anything.end());
  std::vector<double> costs;
  for (int run = 0; run < 5; ++run) costs.push_back(run_measured(words, cpu_).cpu_s);
  return median(costs);
}

void BenchIo::show_progress(std::size_t done, std::size_t all) const {
  if (isatty(STDERR_FILENO) != 1) return;
  show_line(fmt::format("{} of {} pairs, about {:.0f} s left", done, all,
                        static_cast<double>(all - done) * (2 * options_.seconds + 0.9)));
}

constexpr const char* description =
    R"(bench-ringio: ringio beside fio, the same random reads of the same file.

Both run on one processor, one after the other, in random order, for a few seconds each;
a ratio is the median over the rounds, with its 95 % bootstrap interval. The best
processor is the one that takes the disk's interrupts (see /proc/interrupts): otherwise
every wake-up crosses from one to the other, and that is what would be measured.)";

void add_options(CommandLine& line, BenchIoOptions& options) {
  line.add_option("--directory", options.directory,
                  "Where the file is made: a folder on the disk to be measured (TMPDIR, else where "
                  "this program is)");
  line.add_option("--out,--output", options.output, "Folder for the table's data, JSON and picture")
      .capture_default_str();
  line.add_option("--size", options.size, "Bytes of the file")
      .take_unit()
      .check(in_range(std::uint64_t{1} << 20, std::uint64_t{1} << 44))
      .capture_default_str();
  line.add_option("--rounds", options.rounds, "Rounds; fewer than 15 are for a first look")
      .check(in_range(1U, 1000U))
      .capture_default_str();
  line.add_option("--seconds", options.seconds, "Seconds of each run (whole ones, for fio)")
      .check(in_range(1U, 600U))
      .capture_default_str();
  line.add_option("--depths", options.depths, "Queue depths (1,32,128)")
      .delimiter(',')
      .allow_extra_args(false)
      .check(in_range(1U, 4096U))
      .capture_default_str();
  line.add_option("--cpu", options.cpu, "The processor for both; otherwise the last one")
      .check(in_range(0, 4095));
  line.add_flag("!--no-plain", options.plain,
                "Only with registered buffers and files, not without, too");
  line.add_flag("--short", options.brief,
                "A first look of about 40 s: 4 rounds of 1 s, 256 MiB, no plain rows");
  line.add_flag("!--no-priority", options.priority, "Do not ask for a higher priority");
  line.add_option("--ringio", options.ringio, "The program under test").capture_default_str();
  line.add_option("--fio", options.fio, "What it is compared with").capture_default_str();
}

void complete(BenchIoOptions& options, const CommandLine& line,
              const std::filesystem::path& beside) {
  if (options.directory.empty()) {
    const char* named = std::getenv("TMPDIR");
    options.directory = named != nullptr && *named != '\0' ? named : beside.string();
  }
  if (!options.brief) return;
  options.plain = false;
  if (line.count("--rounds") == 0) options.rounds = 4;
  if (line.count("--seconds") == 0) options.seconds = 1;
  if (line.count("--size") == 0) options.size = std::uint64_t{256} << 20;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  lab::BenchIoOptions options;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.ringio = beside / "ringio";
  lab::CommandLine line("bench-ringio", lab::description);
  lab::add_options(line, options);
  line.footer("\nExit code: 0 all targets are met; 1 one is missed; 2 it could not be measured.");
  line.parse(argc, argv);
  try {
    lab::complete(options, line, beside);
    std::filesystem::create_directories(options.output);
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, lab::on_signal);
    lab::BenchIo bench(options);
    const lab::IoComparison& results = bench.run();
    fmt::print("{}", to_text(results));
    fmt::print("{}\n", plot(results, options.output));
    const bool told = lab::output_written("bench-ringio");
    if (!results.ok()) return 1;
    return told ? 0 : 2;
  } catch (const std::exception& error) {
    lab::complain("bench-ringio: {}", error.what());
    return 2;
  }
}
