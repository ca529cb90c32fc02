#include "02-files/lib/write.hpp"

#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

TEST(Write, WritesAtAnOffset) {
  Ring ring;
  const Fd file = file_with("hello, file");
  Recorder<Write> write;
  write.operation.start(ring, file, {.bytes = bytes_of("ring"), .offset = 7});
  run_until_disarmed(ring, write);
  EXPECT_EQ(write.cqes.at(0).res, 4);
  EXPECT_EQ(text_of(file), "hello, ring");
}

TEST(Write, TheOwnPositionMoves) {
  Ring ring;
  const Fd file = file_with("");
  for (const char* piece : {"one, ", "two"}) {
    Recorder<Write> write;
    write.operation.start(ring, file, {.bytes = bytes_of(piece)});
    run_until_disarmed(ring, write);
  }
  EXPECT_EQ(text_of(file), "one, two");
}

TEST(Write, WritesToASlot) {
  Ring ring;
  const FileTable table(ring, 4);
  const Fd file = file_with("");
  const int fd = file.get();
  check(io_uring_register_files_update(ring.raw(), 3, &fd, 1), "update");
  Recorder<Write> write;
  write.operation.start(ring, FileSlot{3}, {.bytes = bytes_of("slot"), .offset = 0});
  run_until_disarmed(ring, write);
  EXPECT_EQ(text_of(file), "slot");
}

TEST(Write, ALinkRunsInOrder) {
  Ring ring;
  const Fd file = file_with("");
  Recorder<Write> first;
  Recorder<Write> second;
  first.operation.start(ring, file, {.bytes = bytes_of("first"), .flags = IOSQE_IO_LINK});
  second.operation.start(ring, file, {.bytes = bytes_of(", second")});
  run_until_disarmed(ring, second);
  EXPECT_EQ(text_of(file), "first, second");
}

TEST(Write, AFullPipeTakesAPart) {
  Ring ring;
  const Pipe pipe;
  check_errno(fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK), "F_SETFL");
  check_errno(fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
  const std::vector<std::byte> bytes = pattern(100'000);
  Recorder<Write> write;
  write.operation.start(ring, pipe.write_end, {.bytes = bytes});
  run_until_disarmed(ring, write);
  EXPECT_GT(write.cqes.at(0).res, 0);
  EXPECT_LT(write.cqes.at(0).res, 100'000);
}

}  // namespace
}  // namespace lab
