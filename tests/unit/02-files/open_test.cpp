#include "02-files/lib/open.hpp"

#include <array>

#include "02-files/lib/read.hpp"
#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

TEST(Open, TheResultIsADescriptor) {
  Ring ring;
  Recorder<Open> open;
  open.operation.start(ring, "/dev/null", {.flags = O_RDONLY | O_CLOEXEC});
  run_until_disarmed(ring, open);
  const Fd file(open.cqes.at(0).res);
  ASSERT_TRUE(file);
  EXPECT_EQ(fcntl(file.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Open, WhatIsNotThereIsAResult) {
  Ring ring;
  Recorder<Open> open;
  open.operation.start(ring, "/nowhere/nothing", {});
  run_until_disarmed(ring, open);
  EXPECT_EQ(open.cqes.at(0).res, -ENOENT);
}

TEST(Open, DirectTakesASlotUntilNoneIsLeft) {
  Ring ring;
  const FileTable table(ring, 2);
  for (const int expected : {0, 1, -ENFILE}) {
    Recorder<Open> open;
    open.operation.start_direct(ring, "/dev/null", {.flags = O_RDONLY | O_CLOEXEC});
    run_until_disarmed(ring, open);
    EXPECT_EQ(open.cqes.at(0).res, expected);
  }
}

TEST(Open, AChainNamesTheSlot) {
  Ring ring;
  const FileTable table(ring, 4);
  std::array<std::byte, 8> memory{};
  Recorder<Open> open;
  Recorder<Read> read;
  Recorder<CloseSlot> close;
  open.operation.start_direct(ring, "/dev/zero", {.sqe_flags = IOSQE_IO_LINK}, FileSlot{3});
  read.operation.start(ring, FileSlot{3}, {.memory = memory, .offset = 0, .flags = IOSQE_IO_LINK});
  close.operation.start(ring, FileSlot{3});
  run_until_disarmed(ring, close);
  EXPECT_EQ(open.cqes.at(0).res, 0);
  EXPECT_EQ(read.cqes.at(0).res, 8);
  EXPECT_EQ(close.cqes.at(0).res, 0);
}

}  // namespace
}  // namespace lab
