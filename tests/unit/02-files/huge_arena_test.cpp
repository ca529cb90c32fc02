#include "02-files/lib/huge_arena.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace lab {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

TEST(HugeArena, HasTheSizeAskedFor) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, huge_page - 1, huge_page,
                                 huge_page + 1, 3 * huge_page + 4096}) {
    const HugeArena arena(size);
    EXPECT_EQ(arena.memory().size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.memory().data()) % huge_page, 0U) << size;
  }
}

TEST(HugeArena, IsWritableFromEndToEnd) {
  const HugeArena arena(3 * huge_page + 12345);
  const auto memory = arena.memory();
  EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{0}; }));
  std::ranges::fill(memory, std::byte{0x5a});
  EXPECT_EQ(memory.front(), std::byte{0x5a});
  EXPECT_EQ(memory.back(), std::byte{0x5a});
}

TEST(HugeArena, IsTouchedAlready) {
  const HugeArena arena(2 * huge_page);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident(arena.memory().size() / page);
  ASSERT_EQ(mincore(arena.memory().data(), arena.memory().size(), resident.data()), 0);
  EXPECT_TRUE(std::ranges::all_of(resident, [](unsigned char flags) { return (flags & 1) != 0; }));
}

TEST(HugeArena, TakesOrdinaryPagesWhereNoneLargerAreAllowed) {
  const HugeArena arena(huge_page + 4096, HugeArena::Pages::plain);
  EXPECT_EQ(arena.memory().size(), huge_page + 4096);
  EXPECT_EQ(arena.pages(), HugeArena::Pages::plain);
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  unsigned long huge_kib = 1;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long from = 0, to = 0;
    const auto address = reinterpret_cast<unsigned long>(arena.memory().data());
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      inside = from <= address && address < to;
    } else if (inside && std::sscanf(line.c_str(), "AnonHugePages: %lu kB", &huge_kib) == 1) {
      break;
    }
  }
  EXPECT_EQ(huge_kib, 0U);
}

TEST(HugeArena, NamesWhatItGot) {
  const HugeArena arena(huge_page);
  switch (arena.pages()) {
    case HugeArena::Pages::huge:
      EXPECT_STREQ(arena.pages_name(), "huge pages");
      break;
    case HugeArena::Pages::transparent:
      EXPECT_STREQ(arena.pages_name(), "transparent huge pages");
      break;
    case HugeArena::Pages::plain:
      EXPECT_STREQ(arena.pages_name(), "plain pages");
      break;
  }
}

TEST(HugeArena, ArenasDoNotShareMemory) {
  const HugeArena first(huge_page), second(huge_page);
  std::ranges::fill(first.memory(), std::byte{1});
  std::ranges::fill(second.memory(), std::byte{2});
  EXPECT_EQ(first.memory().front(), std::byte{1});
  EXPECT_EQ(first.memory().back(), std::byte{1});
}

TEST(HugeArena, GivesItsMemoryBack) {
  void* memory = nullptr;
  {
    const HugeArena arena(huge_page);
    memory = arena.memory().data();
  }
  unsigned char resident = 0;
  EXPECT_EQ(mincore(memory, 1, &resident), -1);
  EXPECT_EQ(errno, ENOMEM) << "still mapped";
}

TEST(HugeArena, ThrowsWhenThereIsNoMemory) {
  try {
    const HugeArena arena(std::size_t{1} << 60);
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::not_enough_memory);
  }
}

}  // namespace
}  // namespace lab
