// Says whether the capstone can run here, and what to do where it cannot: every feature is tried,
// every limit that matters is read.

#include <fmt/format.h>
#include <liburing.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "01-core/lib/features.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "05-performance/bench/system_call_price.hpp"
#include "05-performance/bench/wake_up_price.hpp"

namespace {

enum class Mark { good, note, bad };

int problems = 0;

void line(Mark mark, std::string_view what, std::string_view value, std::string_view cure = "") {
  constexpr const char* marks[] = {"  ok  ", " note ", " FAIL "};
  fmt::print("[{}] {:<26} {}\n", marks[static_cast<int>(mark)], what, value);
  if (!cure.empty()) fmt::print("{:37}{}\n", "", cure);
  if (mark == Mark::bad) ++problems;
}

std::string read_line(const char* path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

// The value of one "Name: value" line.
std::string read_field(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string text;
  while (std::getline(file, text)) {
    if (text.rfind(name + ":", 0) != 0) continue;
    const std::size_t value = text.find_first_not_of(" \t", name.size() + 1);
    return value == std::string::npos ? "" : text.substr(value);
  }
  return "";
}

std::string amount(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit);
}

void show_versions() {
  fmt::print("Versions\n");
  line(Mark::good, "Linux", lab::kernel_release());
  const std::string header = fmt::format("{}.{}", IO_URING_VERSION_MAJOR, IO_URING_VERSION_MINOR);
  const std::string library =
      fmt::format("{}.{}", io_uring_major_version(), io_uring_minor_version());
  const bool same = header == library;
  line(same ? Mark::good : Mark::bad, "liburing",
       fmt::format("header {}, library {}", header, library),
       same ? "" : "Cure: remove build/deps and run ./lab setup");
}

void show_features(const lab::Features& features) {
  fmt::print("\nFeatures, each tried just now\n");
  for (unsigned index = 0; index < static_cast<unsigned>(lab::Feature::count); ++index) {
    const auto feature = static_cast<lab::Feature>(index);
    const lab::FeatureInfo& info = lab::Features::info(feature);
    const int error = features.error(feature);
    if (error == 0) {
      line(Mark::good, info.name, fmt::format("works (since Linux {})", info.since));
      continue;
    }
    line(info.required ? Mark::bad : Mark::note, info.name,
         fmt::format("{} (since Linux {}); {}", std::strerror(error), info.since, info.use),
         feature == lab::Feature::ring ? lab::explain_setup_error(error) : "");
  }
}

void show_switches() {
  fmt::print("\nSwitches and limits\n");
  const std::string disabled = read_line("/proc/sys/kernel/io_uring_disabled");
  if (disabled.empty() || disabled == "0") {
    line(Mark::good, "kernel.io_uring_disabled",
         disabled.empty() ? "not there (before Linux 6.6)" : "0");
  } else {
    line(disabled == "2" ? Mark::bad : Mark::note, "kernel.io_uring_disabled", disabled,
         "Cure: sysctl kernel.io_uring_disabled=0 (1: only members of kernel.io_uring_group)");
  }
  const std::string seccomp = read_field("/proc/self/status", "Seccomp");
  line(seccomp == "2" ? Mark::note : Mark::good, "seccomp",
       seccomp == "2" ? "a filter is active" : "no filter",
       seccomp == "2" ? "If io_uring_setup is refused above: take docs/seccomp-io_uring.json, see "
                        "docs/limits.md"
                      : "");

  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool few = limit.rlim_max != RLIM_INFINITY && limit.rlim_max < 32768;
  line(few ? Mark::note : Mark::good, "open files (ulimit -Hn)", amount(limit.rlim_max),
       few ? "A worker's table of connections is no larger than that. Cure: raise it in "
             "limits.conf or the unit"
           : "");
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool root_or_enough = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= (128U << 20);
  line(root_or_enough ? Mark::good : Mark::note, "locked memory (ulimit -l)",
       limit.rlim_cur == RLIM_INFINITY ? "unlimited" : fmt::format("{} KiB", limit.rlim_cur / 1024),
       root_or_enough
           ? ""
           : "Root is exempt. Others: rings and registered buffers must fit, else zero-copy sends "
             "pin their pages one by one. Cure: ulimit -l unlimited");
}

void show_memory() {
  fmt::print("\nMemory\n");
  line(Mark::good, "transparent huge pages",
       read_line("/sys/kernel/mm/transparent_hugepage/enabled"));
  line(Mark::good, "reserved huge pages",
       fmt::format("{} free of {}", read_field("/proc/meminfo", "HugePages_Free"),
                   read_field("/proc/meminfo", "HugePages_Total")));
  const lab::HugeArena arena(std::size_t{8} << 20);
  const bool plain = arena.pages() == lab::HugeArena::Pages::plain;
  line(plain ? Mark::note : Mark::good, "8 MiB of buffers got", arena.pages_name(),
       plain ? "Cure: sysctl vm.nr_hugepages=64, or transparent huge pages on madvise" : "");
}

// What io_uring saves is system calls and wake-ups: so this says how much there is to save.
void show_prices() {
  fmt::print("\nPrices\n");
  line(Mark::good, "a system call",
       fmt::format("{:.0f} ns (lesson 05-10 says what follows from it)", lab::system_call_ns()));
  line(Mark::good, "a wake-up",
       fmt::format("{:.1f} us, of a thread that sleeps in read()", lab::wake_up_us()));
}

}  // namespace

int main(int argc, char** argv) try {
  lab::open_standard_fds();
  if (argc > 1) {
    fmt::print(stderr, "doctor: \"{}\"? It takes no arguments. Help: ./lab doctor --help\n",
               argv[1]);
    return 2;
  }
  show_versions();
  const lab::Features features = lab::Features::detect();
  show_features(features);
  show_switches();
  if (features.has(lab::Feature::ring)) show_memory();
  show_prices();
  const bool runs = problems == 0 && features.missing() == lab::Feature::count;
  fmt::print("\n{}\n",
             runs ? "The capstone runs here: ./lab serve"
                  : "The capstone does not run here; each FAIL above says why and what helps.");
  return runs ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "doctor: {}\n", error.what());
  return 1;
}
