#include "02-files/lib/file_table.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "tests/unit/support.hpp"

namespace lab {
namespace {

// Opens /dev/null into a slot that the kernel picks. The CQE's res.
int open_slot(Ring& ring) {
  Recorder<> open;
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_openat_direct(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0, IORING_FILE_INDEX_ALLOC);
  ring.arm(sqe, open.operation);
  run_until_disarmed(ring, open);
  return open.cqes.at(0).res;
}

int close_slot(Ring& ring, FileSlot slot) {
  Recorder<CloseSlot> close;
  close.operation.start(ring, slot);
  run_until_disarmed(ring, close);
  return close.cqes.at(0).res;
}

TEST(FileTable, HandsOutItsSlotsAndNoMore) {
  Ring ring;
  const FileTable table(ring, 4);
  EXPECT_EQ(table.size(), 4U);
  std::vector<bool> taken(4);
  for (int count = 0; count < 4; ++count) {
    const int slot = open_slot(ring);
    ASSERT_GE(slot, 0);
    ASSERT_LT(slot, 4);
    EXPECT_FALSE(taken[static_cast<std::size_t>(slot)]) << "slot " << slot << " twice";
    taken[static_cast<std::size_t>(slot)] = true;
  }
  EXPECT_EQ(open_slot(ring), -ENFILE);
}

TEST(FileTable, AClosedSlotIsHandedOutAgain) {
  Ring ring;
  const FileTable table(ring, 3);
  for (int count = 0; count < 3; ++count) ASSERT_GE(open_slot(ring), 0);
  EXPECT_EQ(close_slot(ring, FileSlot{1}), 0);
  EXPECT_EQ(open_slot(ring), 1);
}

TEST(FileTable, SlotsAreNoDescriptorsOfTheProcess) {
  Ring ring;
  const FileTable table(ring, 2);
  const Fd before(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_GE(open_slot(ring), 0);
  ASSERT_GE(open_slot(ring), 0);
  const Fd after(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(after.get(), before.get() + 1);
}

TEST(FileTable, BelongsToOneRing) {
  Ring first, second;
  const FileTable first_table(first, 1);
  const FileTable second_table(second, 1);
  EXPECT_EQ(open_slot(first), 0);
  EXPECT_EQ(open_slot(second), 0);
}

TEST(FileTable, ARingHasOne) {
  Ring ring;
  const FileTable table(ring, 2);
  try {
    const FileTable second(ring, 2);
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::device_or_resource_busy);
  }
}

TEST(FileTable, IsNoLargerThanTheLimitOfFiles) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max > 1'000'000) GTEST_SKIP() << "no hard limit of files to run into";
  Ring ring;
  try {
    const FileTable table(ring, static_cast<unsigned>(limit.rlim_max) + 1);
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::too_many_files_open);
    EXPECT_NE(std::string(error.what()).find("ulimit -n"), std::string::npos);
  }
}

TEST(CloseSlot, AnEmptySlotIsAnError) {
  Ring ring;
  const FileTable table(ring, 2);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), -EBADF);
  ASSERT_EQ(open_slot(ring), 0);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), 0);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), -EBADF) << "closed once already";
}

TEST(FileSlot, IsTheIndexThatAnSqeNames) { EXPECT_EQ(index(FileSlot{17}), 17); }

}  // namespace
}  // namespace lab
