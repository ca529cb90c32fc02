#include "06-server/lib/process/log_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>

#include "01-core/lib/check.hpp"
#include "06-server/lib/process/ring_end.hpp"

namespace lab {
namespace {

std::string line(unsigned number) { return fmt::format("line {:>94}\n", number); }

class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest() { writer.begin(ring); }
  ~LogWriterTest() override { end_ring(ring); }

  void append(unsigned number) {
    const std::span<char> space = lines.space(100);
    if (space.empty()) return;
    line(number).copy(space.data(), space.size());
    lines.wrote(100);
  }
  void write_out() {
    while (!lines.empty()) {
      lines.tick();
      ring.run_once();
    }
  }
  std::uint64_t lost(LineLoss why) const { return losses[static_cast<std::size_t>(why)].get(); }
  static Fd append_to(const Fd& file) {
    const std::string path = fmt::format("/proc/self/fd/{}", file.get());
    return Fd(check_errno(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), "open"));
  }
  static Fd new_file() { return Fd(check_errno(memfd_create("log", MFD_CLOEXEC), "memfd_create")); }
  static std::string text(const Fd& file) {
    std::string all(1 << 20, '\0');
    all.resize(static_cast<std::size_t>(pread(file.get(), all.data(), all.size(), 0)));
    return all;
  }

  Ring ring;
  std::array<Counter, line_losses> losses;
  LineBuffer lines{64 << 10, losses};
  const Fd file = new_file();
  LogWriter writer{lines, append_to(file)};
};

TEST_F(LogWriterTest, LinesComeInTheirOrder) {
  std::string expected;
  for (unsigned number = 0; number < 5000; ++number) {
    append(number);
    expected += line(number);
    if (number % 100 == 0) write_out();
  }
  write_out();
  EXPECT_EQ(text(file), expected);
  EXPECT_TRUE(lines.settle(false));
}

TEST_F(LogWriterTest, WhatComesAfterAReplacementGoesToTheNewFile) {
  append(1);
  write_out();
  append(2);
  lines.tick();  // it is on its way
  const Fd other = new_file();
  writer.replace(append_to(other));
  append(3);
  write_out();
  EXPECT_EQ(text(file), line(1) + line(2));
  EXPECT_EQ(text(other), line(3));
  EXPECT_TRUE(lines.settle(false));
}

// A disk is full within a line, and later it is not.
TEST_F(LogWriterTest, HalfALineIsEndedBeforeTheNext) {
  std::signal(SIGXFSZ, SIG_IGN);  // as in a server
  rlimit before{};
  check_errno(getrlimit(RLIMIT_FSIZE, &before), "getrlimit");
  const rlimit small{.rlim_cur = 250, .rlim_max = before.rlim_max};
  check_errno(setrlimit(RLIMIT_FSIZE, &small), "setrlimit");
  for (unsigned number = 0; number < 10; ++number) append(number);
  write_out();
  append(10);
  write_out();
  check_errno(setrlimit(RLIMIT_FSIZE, &before), "setrlimit");
  EXPECT_EQ(text(file).size(), 250U);
  EXPECT_EQ(lost(LineLoss::full), 9U);
  append(11);
  append(12);
  write_out();
  EXPECT_EQ(text(file), line(0) + line(1) + line(2).substr(0, 50) + "\n" + line(11) + line(12));
  EXPECT_EQ(lost(LineLoss::full), 9U);
  EXPECT_TRUE(lines.settle(false));
}

TEST_F(LogWriterTest, APipeThatNobodyReadsIsGivenUp) {
  int ends[2];
  check_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  const Fd read_end(ends[0]);
  check_errno(fcntl(read_end.get(), F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
  writer.replace(Fd(ends[1]));
  constexpr unsigned appended = 1000;
  for (unsigned number = 0; number < appended; ++number) append(number);
  lines.tick();
  ring.run_once();  // the first piece is written, and there is no room for the next
  EXPECT_FALSE(lines.settle(false));
  EXPECT_TRUE(lines.settle(true));
  end_ring(ring);
  std::string all(1 << 20, '\0');
  all.resize(static_cast<std::size_t>(read(read_end.get(), all.data(), all.size())));
  const auto written = static_cast<std::uint64_t>(std::count(all.begin(), all.end(), '\n'));
  EXPECT_EQ(written, 40U) << "as many whole lines as 4096 bytes have";
  EXPECT_TRUE(all.ends_with('\n'));
  EXPECT_EQ(written + lost(LineLoss::slow), appended);
}

}  // namespace
}  // namespace lab
