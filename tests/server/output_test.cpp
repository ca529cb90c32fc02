#include "06-server/lib/process/output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <regex>
#include <string>
#include <string_view>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/ring_end.hpp"
#include "06-server/lib/process/server_log.hpp"

namespace lab {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    check_errno(pipe2(ends, O_CLOEXEC), "pipe2");
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
    check_errno(fcntl(read_end.get(), F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
  }
  std::string read_some() const {
    std::array<char, 4096> part;
    const ssize_t size = read(read_end.get(), part.data(), part.size());
    return {part.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  // Everything up to this text, which has to come.
  std::string read_until(Ring& ring, const Output& output, const std::string& last) const {
    std::string all;
    while (all.find(last) == std::string::npos) {
      while (!output.idle() && empty()) ring.run_once();
      all += read_some();
    }
    return all;
  }
  bool empty() const {
    int unread = 0;
    check_errno(ioctl(read_end.get(), FIONREAD, &unread), "FIONREAD");
    return unread == 0;
  }

  Fd read_end;
  Fd write_end;
};

std::string numbered_line(unsigned number) { return fmt::format("line {:>8}\n", number); }

// As the supervisor does it at its end.
void finish(Ring& ring, Output& output) {
  output.close();
  end_ring(ring);
}

TEST(Output, LinesComeInTheirOrder) {
  Ring ring;
  const Pipe pipe;
  Output output(ring, pipe.write_end.get(), 64 << 10);
  std::string expected;
  for (unsigned number = 0; number < 2000; ++number) {
    ASSERT_TRUE(output.write(numbered_line(number)));
    expected += numbered_line(number);
  }
  EXPECT_EQ(pipe.read_until(ring, output, numbered_line(1999)), expected);
  while (!output.idle()) ring.run_once();
  EXPECT_EQ(output.lost(), 0U);
  EXPECT_EQ(output.error(), 0);
}

TEST(Output, WhatNobodyReadsHasABoundAndTheRestIsCounted) {
  for (const bool non_blocking : {false, true}) {
    Ring ring;
    const Pipe pipe;
    if (non_blocking) fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
    Output output(ring, pipe.write_end.get(), 8 << 10);
    unsigned kept = 0;
    // run_once(0) waits for nothing: what is in flight stays there.
    for (unsigned number = 0; number < 5000; ++number) {
      kept += output.write(numbered_line(number)) ? 1U : 0U;
      ring.run_once(0);
    }
    EXPECT_FALSE(output.idle());
    EXPECT_EQ(output.lost(), 5000U - kept);
    EXPECT_LE(kept * numbered_line(0).size(), std::size_t{(8 << 10) + (4 << 10)});
    finish(ring, output);
    EXPECT_TRUE(output.idle());
  }
}

// The lines lost that a log's text tells of.
std::uint64_t told_lost(std::string_view text) {
  static const std::regex line(
      "server: ([0-9]+) lines? of this log lost: not read, or not writable\n");
  std::uint64_t sum = 0;
  const std::cregex_iterator lines(text.data(), text.data() + text.size(), line);
  for (auto found = lines; found != std::cregex_iterator(); ++found) {
    sum += std::stoull((*found)[1]);
  }
  return sum;
}

// Sooner or later than the tenth loss a first piece fits into the pipe, and a line that tells of
// the losses so far into the room that it leaves. So what counts is the sum.
TEST(Output, ALogSaysWhatItLostWhenItFlowsAgain) {
  Ring ring;
  const Pipe pipe;
  ServerLog log(ring, pipe.write_end.get(), {.name = "server"});
  const std::string long_text(1000, 'x');
  while (log.output().lost() < 10) {
    log("{}", long_text);
    ring.run_once(0);
  }
  std::string all;
  while (!log.output().idle()) {
    while (!log.output().idle() && pipe.empty()) ring.run_once();
    if (!pipe.empty()) all += pipe.read_some();
  }
  while (!pipe.empty()) all += pipe.read_some();
  log("{} again", "here");
  all += pipe.read_until(ring, log.output(), "again\n");
  EXPECT_EQ(told_lost(all), log.output().lost());
  EXPECT_TRUE(all.ends_with("server: here again\n"));
  while (!log.output().idle()) ring.run_once();
}

TEST(Output, AnErrorLosesLinesAndIsKept) {
  Ring ring;
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output output(ring, full.get(), 4096);
  output.write("one\n");
  output.write("two\n");
  while (!output.idle()) ring.run_once();
  EXPECT_EQ(output.lost(), 2U);
  EXPECT_EQ(output.error(), ENOSPC);
}

TEST(Output, ARegularFileIsWrittenAtOnceWhereItsPositionIs) {
  Ring ring;
  char name[] = "/tmp/lab-output-XXXXXX";
  const Fd file(check_errno(mkostemp(name, O_CLOEXEC), "mkostemp"));
  const Fd copy(dup(file.get()));  // as after 2>&1
  Output one(ring, file.get(), 4096);
  Output other(ring, copy.get(), 4096);
  for (unsigned number = 0; number < 10; ++number) {
    (number % 2 == 0 ? one : other).write(numbered_line(number));
  }
  std::array<char, 4096> text;
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  std::string expected;
  for (unsigned number = 0; number < 10; ++number) expected += numbered_line(number);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(size)), expected);
  EXPECT_TRUE(one.idle() && other.idle());
  unlink(name);
}

}  // namespace
}  // namespace lab
