#include "02-files/lib/file_table.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
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

// A lease for writing is granted when nobody else has the file open: fcntl(2).
class FileTableFiles : public testing::Test {
 protected:
  void SetUp() override {
    const Fd made(check_errno(mkstemp(path_.data()), path_.c_str()));
    if (is_free()) GTEST_SKIP() << "this file system's leases do not see who has a file open";
  }

  Fd open_file() const { return Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)); }
  bool is_free() const {
    const Fd fd = open_file();
    return fcntl(fd.get(), F_SETLEASE, F_WRLCK) == 0;
  }

  void TearDown() override { unlink(path_.c_str()); }

  std::string path_ = testing::TempDir() + "file-table-XXXXXX";
  Ring ring_;
};

TEST_F(FileTableFiles, AreOpenWhileTheTableLives) {
  EXPECT_TRUE(is_free());
  Fd file = open_file();
  const FileTable table(ring_, std::array{file.get()});
  file.reset();
  EXPECT_EQ(table.size(), 1U);
  EXPECT_FALSE(is_free());
}

TEST_F(FileTableFiles, AreClosedWhenTheTableDies) {
  for (int round = 0; round < 20; ++round) {
    {
      Fd file = open_file();
      const FileTable table(ring_, std::array{file.get()});
    }
    ASSERT_TRUE(is_free()) << "in round " << round;
  }
}

TEST_F(FileTableFiles, AreClosedWhenItIsEmptied) {
  FileTable table(ring_, 130);  // more than one call takes
  for (const unsigned slot : {0U, 64U, 129U}) {
    const Fd file = open_file();
    const int fd = file.get();
    check(io_uring_register_files_update(ring_.raw(), slot, &fd, 1), "register_files_update");
  }
  table.empty();
  for (const unsigned slot : {0U, 64U, 129U}) EXPECT_EQ(close_slot(ring_, FileSlot{slot}), -EBADF);
  EXPECT_GE(open_slot(ring_), 0) << "it can be used again";
}

TEST(FileTable, ARingCanHaveAnotherWhenTheFirstIsGone) {
  Ring ring;
  { const FileTable first(ring, 2); }
  const FileTable second(ring, 3);
  EXPECT_EQ(open_slot(ring), 0);
}

TEST(CloseSlot, AnEmptySlotIsAnError) {
  Ring ring;
  const FileTable table(ring, 2);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), -EBADF);
  ASSERT_EQ(open_slot(ring), 0);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), 0);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), -EBADF) << "closed once already";
}

// Two pairs of sockets, one end of each in a slot and only there.
struct TwoStreams {
  TwoStreams() {
    for (unsigned slot = 0; slot < 2; ++slot) {
      int ends[2];
      check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
      const Fd ours(ends[0]);
      theirs[slot] = Fd(ends[1]);
      check(io_uring_register_files_update(ring.raw(), slot, ends, 1), "register_files_update");
    }
  }

  Ring ring;
  FileTable table{ring, 2};
  std::array<Fd, 2> theirs;
};

void close_after_shutdown(Ring& ring, Recorder<ShutdownSlot>& shutdown, FileSlot slot) {
  Recorder<CloseSlot> close;
  ring.reserve(2);
  shutdown.operation.link_before_close(ring, slot);
  close.operation.start(ring, slot);
  run_until_disarmed(ring, close);
  EXPECT_EQ(close.cqes.at(0).res, 0);
}

TEST(ShutdownSlot, IsHeardWhateverElseIsInFlight) {
  TwoStreams streams;
  char byte = 0;
  Recorder<> read;
  io_uring_sqe* sqe = streams.ring.sqe();
  io_uring_prep_read(sqe, 0, &byte, 1, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  streams.ring.arm(sqe, read.operation);
  Recorder<ShutdownSlot> shutdown;
  close_after_shutdown(streams.ring, shutdown, FileSlot{1});
  ASSERT_EQ(shutdown.cqes.size(), 1U) << "before the close's";
  EXPECT_EQ(shutdown.cqes[0].res, 0);
  char end = 0;
  EXPECT_EQ(recv(streams.theirs[1].get(), &end, 1, MSG_DONTWAIT), 0);

  EXPECT_TRUE(read.operation.armed()) << "the other slot goes on";
  EXPECT_EQ(send(streams.theirs[0].get(), "x", 1, MSG_NOSIGNAL), 1);
  run_until_disarmed(streams.ring, read);
  EXPECT_EQ(byte, 'x');
}

TEST(ShutdownSlot, TheSlotIsClosedAlsoAfterItFailed) {
  Ring ring;
  const FileTable table(ring, 1);
  ASSERT_EQ(open_slot(ring), 0);
  Recorder<ShutdownSlot> shutdown;
  close_after_shutdown(ring, shutdown, FileSlot{0});
  ASSERT_EQ(shutdown.cqes.size(), 1U);
  EXPECT_EQ(shutdown.cqes[0].res, -ENOTSOCK);
  EXPECT_EQ(close_slot(ring, FileSlot{0}), -EBADF);
}

TEST(FileSlot, IsTheIndexThatAnSqeNames) { EXPECT_EQ(index(FileSlot{17}), 17); }

}  // namespace
}  // namespace lab
