// cp and cat on io_uring beside those of coreutils: interleaved rounds, each program started anew
// and waited for, its CPU time with that of the kernel's workers.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/gnuplot.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/bench/statistics.hpp"
#include "05-performance/bench/system_call_price.hpp"

namespace lab {

namespace {

namespace files = std::filesystem;
using Words = std::vector<std::string>;

struct FilesOptions {
  files::path out = "build/bench/files";
  unsigned rounds = 11;
  std::size_t size_mib = 1024;
  unsigned count = 10'000;
  bool brief = false;
  bool tune = false;
};

volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) { stop_requested = 1; }

/// What one run took. The clock runs from before the fork until the process is gone.
struct Taken {
  double seconds = 0;
  double cpu_s = 0;
};

/// Two programs that do the same: the first is measured against the second.
struct Row {
  std::string name;
  std::string text;
  std::string ours, theirs;
  double target = 1;  ///< their time divided by ours, at least
  std::function<Taken(bool ours)> run;
  std::vector<Taken> our_runs = {}, their_runs = {};
};

[[noreturn]] void execute(const Words& words, int output) {
  dup2(output, STDOUT_FILENO);
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  _exit(127);
}

/// Runs a program to its end and reads what it prints, as a pipeline's next program would.
Taken run(const Words& words) {
  std::array<int, 2> ends{};
  check_errno(pipe2(ends.data(), O_CLOEXEC), "pipe2");
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  static std::vector<char> buffer(128 * 1024);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = check_errno(fork(), "fork");
  if (pid == 0) execute(words, write_end.get());
  write_end.reset();
  while (read(read_end.get(), buffer.data(), buffer.size()) > 0) {
  }
  int status = 0;
  rusage usage{};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(fmt::format("{} failed", fmt::join(words, " ")));
  }
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds.count(), in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime)};
}

/// Makes the machine the same for whoever runs next. What the last run wrote goes to the disk now.
/// And virtual machines get memory from their host at the first touch, and give back what is free:
/// so more of it is touched than a copy fills, for the kernel need not take just these pages.
void settle(std::size_t size) {
  sync();
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  madvise(memory, size, MADV_POPULATE_WRITE);
  munmap(memory, size);
}

/// The files that are copied, and room for the copies. All of it is gone when the object is.
class Workspace {
 public:
  Workspace(const files::path& parent, std::size_t size, unsigned count) : size_(size) {
    files::create_directories(parent);
    std::string path = parent / "bench-files-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) check_errno(-1, path.c_str());
    path_ = path;
    const std::size_t room = files::space(path_).available;
    if (room < 3 * size) {
      files::remove_all(path_);
      throw std::runtime_error(fmt::format("{} has {} MiB free, {} are needed: --size-mib, --out",
                                           parent.string(), room >> 20, (3 * size) >> 20));
    }
    write_big();
    files::create_directory(small());
    std::mt19937 random(1);
    const std::string bytes(16 * 1024, 'x');
    for (unsigned file = 0; file < count; ++file) {
      std::ofstream(small() / fmt::format("{:06}", file))
          .write(bytes.data(), static_cast<std::streamsize>(random() % bytes.size()));
    }
    sync();
  }
  ~Workspace() {
    std::error_code ignored;
    files::remove_all(path_, ignored);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  files::path big() const { return path_ / "big"; }
  files::path small() const { return path_ / "small"; }
  std::size_t size() const { return size_; }

  /// Never the same twice: ext4 is slow to create a file where one was deleted a moment ago.
  files::path fresh() { return path_ / fmt::format("copy-{}", ++copies_); }

  /// Warm: in the page cache. Cold: not there.
  void prepare_big(bool cold) {
    const Fd file(check_errno(open(big().c_str(), O_RDONLY | O_CLOEXEC), "open"));
    while (read(file.get(), buffer_.data(), buffer_.size()) > 0) {
    }
    settle(3 * size_);
    if (cold) check(-posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
  }

 private:
  void write_big() const {
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> block(1 << 17);
    for (std::uint64_t& word : block) word = random();
    std::ofstream file(big(), std::ios::binary);
    for (std::size_t written = 0; written < size_; written += block.size() * 8) {
      block.front() = written;  // no two blocks are the same
      file.write(reinterpret_cast<const char*>(block.data()),
                 static_cast<std::streamsize>(block.size() * 8));
    }
    if (!file.flush()) throw std::runtime_error("the big file could not be written: disk full?");
  }

  files::path path_;
  std::size_t size_;
  std::vector<char> buffer_ = std::vector<char>(1 << 20);
  unsigned copies_ = 0;
};

class Bench {
 public:
  Bench(const FilesOptions& options, Workspace& workspace, files::path programs)
      : options_(options), workspace_(workspace), programs_(std::move(programs)) {
    for (const bool cold : {false, true}) {
      const char* cache = cold ? "cold" : "warm";
      rows_.push_back({fmt::format("cp-{}", cache), fmt::format("cp, one file, {}", cache),
                       "ring-cp", "cp", 1.0, [this, cold](bool ours) { return cp(ours, cold); }});
      rows_.push_back({fmt::format("cat-{}", cache), fmt::format("cat into a pipe, {}", cache),
                       "ring-cat", "cat", 1.0,
                       [this, cold](bool ours) { return cat(ours, cold); }});
    }
    rows_.push_back({"cp-small", fmt::format("cp -r, {} small files", options.count), "ring-cp",
                     "cp", 1.2, [this](bool ours) { return cp_small(ours, {}); }});
    if (options.tune) add_tuned();
  }

  void run() {
    for (unsigned round = 0; round < options_.rounds && stop_requested == 0; ++round) {
      for (Row& row : rows_) {
        if (isatty(STDERR_FILENO) != 0) {
          show_line(fmt::format("round {} of {}: {}", round + 1, options_.rounds, row.text));
        }
        // Who goes first changes from round to round: neither gets what the other has warmed.
        for (const bool ours : {round % 2 == 0, round % 2 != 0}) {
          if (stop_requested != 0) throw std::runtime_error("stopped");
          (ours ? row.our_runs : row.their_runs).push_back(row.run(ours));
        }
      }
    }
    if (isatty(STDERR_FILENO) != 0) show_line("");
  }

  /// The table. @return false when a target was missed
  bool print() const;
  void write_data() const;

 private:
  Words program(bool ours, const char* our_name, const char* their_name) const {
    return {ours ? (programs_ / our_name).string() : std::string(their_name)};
  }

  Taken cp(bool ours, bool cold) {
    const files::path target = workspace_.fresh();
    workspace_.prepare_big(cold);
    Words words = program(ours, "ring-cp", "cp");
    words.insert(words.end(), {workspace_.big().string(), target.string()});
    const Taken taken = lab::run(words);
    if (files::file_size(target) != workspace_.size()) throw std::runtime_error("a short copy");
    files::remove(target);
    return taken;
  }

  Taken cat(bool ours, bool cold) {
    workspace_.prepare_big(cold);
    Words words = program(ours, "ring-cat", "cat");
    words.push_back(workspace_.big());
    return lab::run(words);
  }

  // Copies stay until the end of the whole run, see Workspace::fresh.
  Taken cp_small(bool ours, const Words& flags) {
    settle(std::size_t{options_.count} * 96 * 1024);
    Words words = program(ours, "ring-cp", "cp");
    words.insert(words.end(), {"-r", workspace_.small().string(), workspace_.fresh().string()});
    if (ours) words.insert(words.end(), flags.begin(), flags.end());
    return lab::run(words);
  }

  void add_tuned() {
    for (const char* chains : {"1", "4", "16", "64"}) {
      for (const char* workers : {"1", "2", "4"}) {
        const Words flags{"--chains", chains, "--workers", workers};
        rows_.push_back({fmt::format("cp-small-{}-{}", chains, workers),
                         fmt::format("  {} chains, {} workers", chains, workers), "ring-cp", "cp",
                         0, [this, flags](bool ours) { return cp_small(ours, flags); }});
      }
    }
  }

  const FilesOptions& options_;
  Workspace& workspace_;
  files::path programs_;
  std::vector<Row> rows_;
};

std::vector<double> pick(const std::vector<Taken>& runs, double Taken::*field) {
  std::vector<double> values;
  for (const Taken& run : runs) values.push_back(run.*field);
  return values;
}

MedianInterval ratio(const std::vector<Taken>& of, const std::vector<Taken>& to,
                     double Taken::*field) {
  std::vector<double> ratios;
  for (std::size_t run = 0; run < std::min(of.size(), to.size()); ++run) {
    ratios.push_back(of[run].*field / to[run].*field);
  }
  return bootstrap_median(ratios);
}

bool Bench::print() const {
  bool met = true;
  fmt::print("{}\n{:<28} {:>9} {:>9}  {:<20} {:<20} {}\n", system_call_text(), "", "ours ms",
             "theirs ms", "  times as fast", "  CPU", "target");
  for (const Row& row : rows_) {
    const MedianInterval speed = ratio(row.their_runs, row.our_runs, &Taken::seconds);
    const MedianInterval cpu = ratio(row.our_runs, row.their_runs, &Taken::cpu_s);
    // A target that the interval holds is not missed: no difference from it was seen.
    const bool ok = speed.high >= row.target;
    met &= ok;
    fmt::print(
        "{:<28} {:>9.1f} {:>9.1f}  {:.2f} [{:.2f} {:.2f}]     {:.2f} [{:.2f} {:.2f}]     {}\n",
        row.text, 1e3 * median(pick(row.our_runs, &Taken::seconds)),
        1e3 * median(pick(row.their_runs, &Taken::seconds)), speed.median, speed.low, speed.high,
        cpu.median, cpu.low, cpu.high,
        row.target == 0 ? "" : fmt::format("{:.1f} {}", row.target, ok ? "ok" : "BELOW"));
  }
  return met;
}

void Bench::write_data() const {
  std::ofstream data(options_.out / "files.tsv");
  data << "# row\tprogram\tround\tseconds\tCPU seconds\n";
  for (const Row& row : rows_) {
    for (const auto& [name, runs] :
         {std::pair{row.ours, &row.our_runs}, {row.theirs, &row.their_runs}}) {
      for (std::size_t round = 0; round < runs->size(); ++round) {
        data << fmt::format("{}\t{}\t{}\t{:.6f}\t{:.6f}\n", row.name, name, round,
                            (*runs)[round].seconds, (*runs)[round].cpu_s);
      }
    }
  }
  std::ofstream ratios(options_.out / "ratios.tsv");
  std::string ticks;
  for (std::size_t place = 0; place < rows_.size(); ++place) {
    const Row& row = rows_[place];
    const MedianInterval speed = ratio(row.their_runs, row.our_runs, &Taken::seconds);
    ratios << fmt::format("{}\t{:.4f}\t{:.4f}\t{:.4f}\n", place, speed.median, speed.low,
                          speed.high);
    ticks += fmt::format("{}'{}' {}", place == 0 ? "" : ", ", row.text, place);
  }
  ratios.close();
  std::ofstream script(options_.out / "files.gp");
  script << fmt::format(
      "set terminal svg size 900,480 background 'white'\nset output 'files.svg'\n"
      "set title 'cp and cat on io_uring beside coreutils: times as fast, 95 % intervals'\n"
      "set xtics ({}) rotate by -20\nset xrange [-0.6:{}.6]\nset yrange [0:*]\nset grid ytics\n"
      "set bmargin 7\nunset key\nset arrow from graph 0, first 1 to graph 1, first 1 nohead\n"
      "plot 'ratios.tsv' using 1:2:3:4 with yerrorbars pt 7 lw 2\n",
      ticks, rows_.size() - 1);
  script.close();
  const std::string failure = draw(options_.out, "files");
  fmt::print("{}\n",
             failure.empty() ? fmt::format("plot: {}/files.svg", options_.out.string()) : failure);
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) try {
  lab::open_standard_fds();
  lab::FilesOptions options;
  lab::CommandLine line("bench-files", "cp and cat on io_uring beside those of coreutils.");
  line.footer(
      "Ratios above 1 say that ours is faster. A cold file is not in the page cache; all targets\n"
      "of copies are. Exit code: 0 all targets are met; 1 one is missed; 2 not measured.");
  line.add_option("--out", options.out,
                  "Where figures and plot go; the files copied are made there, "
                  "too, and removed")
      .capture_default_str();
  line.add_option("--rounds", options.rounds, "Rounds")
      .check(lab::in_range(1, 1000))
      .capture_default_str();
  line.add_option("--size-mib", options.size_mib, "The one large file")
      .check(lab::in_range(1, 1 << 20))
      .capture_default_str();
  line.add_option("--count", options.count, "How many small files")
      .check(lab::in_range(1, 1'000'000))
      .capture_default_str();
  line.add_flag("--tune", options.tune, "Small files also by chains in flight and worker threads");
  line.add_flag("--short", options.brief, "3 rounds of 256 MiB and 2,000 files: a first look");
  line.parse(argc, argv);
  if (options.brief) {
    options.rounds = 3;
    options.size_mib = 256;
    options.count = 2000;
  }
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, lab::on_signal);
  lab::Workspace workspace(options.out, options.size_mib << 20, options.count);
  const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  lab::Bench bench(options, workspace, programs);
  bench.run();
  const bool met = bench.print();
  bench.write_data();
  if (!lab::output_written("bench-files")) return 2;
  return met ? 0 : 1;
} catch (const std::exception& error) {
  lab::complain("bench-files: {}", error.what());
  return 2;
}
