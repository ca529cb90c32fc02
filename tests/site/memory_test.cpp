// How much memory a site may take, and what is told while it is built.

#include <gtest/gtest.h>

#include "06-server/lib/os/available_memory.hpp"
#include "06-server/lib/site/site_arena.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_progress.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

TEST(SiteMemory, IsWhatTheMachineHasLeft) {
  const Folder folder;
  folder.write("meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:   300 kB\nX: 1 kB\n");
  EXPECT_EQ(left_on_machine(folder.path("meminfo")), 300U << 10U);
  EXPECT_GT(left_on_machine(folder.path("none")), std::uint64_t{1} << 60);
  EXPECT_GT(available_memory(), 0U);
}

// A group whose limit is full of cached files has room all the same.
TEST(SiteMemory, IsWhatTheGroupMayStillTake) {
  const Folder group;
  EXPECT_EQ(left_in_group(group.path()), UINT64_MAX);
  group.write("memory.max", "max\n");
  EXPECT_EQ(left_in_group(group.path()), UINT64_MAX);
  group.write("memory.max", "1000000\n");
  EXPECT_EQ(left_in_group(group.path()), 1'000'000U);
  group.write("memory.current", "990000\n");
  EXPECT_EQ(left_in_group(group.path()), 10'000U);
  group.write("memory.stat", "anon 90000\nfile 900000\ninactive_file 500000\nactive_file 400000\n");
  EXPECT_EQ(left_in_group(group.path()), 910'000U);
  group.write("memory.current", "2000000\n");
  EXPECT_EQ(left_in_group(group.path()), 0U);
}

TEST(SiteMemory, HasItsLimit) {
  SiteArena arena(site_header_size + 128);
  const std::string text(100, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(arena.append(bytes) % 64, 0U);
  EXPECT_THROW(arena.append(bytes), SiteError);
}

TEST(SiteProgress, IsALineASecond) {
  SiteProgress progress("http-server");
  constexpr std::uint64_t later = std::uint64_t{1} << 50;  // than any machine runs, in ms
  constexpr auto reading = SiteReporter::Step::reading;
  EXPECT_EQ(progress.line(reading, 1, 5, 0), "");
  EXPECT_EQ(progress.line(reading, 2, 5, later), "http-server: read 2 of 5 files\n");
  EXPECT_EQ(progress.line(reading, 3, 5, later + 999), "");
  EXPECT_EQ(progress.line(SiteReporter::Step::compressing, 4, 5, later + 1000),
            "http-server: compressed 4 of 5 files\n");
}

}  // namespace
}  // namespace lab
