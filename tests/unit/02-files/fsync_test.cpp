#include "02-files/lib/fsync.hpp"

#include "02-files/lib/write.hpp"
#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

TEST(Fsync, FollowsAWriteByLink) {
  Ring ring;
  const Fd file = file_with("");
  Recorder<Write> write;
  Recorder<Fsync> fsync;
  write.operation.start(ring, file, {.bytes = bytes_of("kept"), .flags = IOSQE_IO_LINK});
  fsync.operation.start(ring, file, Fsync::What::data);
  run_until_disarmed(ring, fsync);
  ASSERT_EQ(write.cqes.size(), 1U);
  EXPECT_EQ(fsync.cqes.at(0).res, 0);
  EXPECT_EQ(text_of(file), "kept");
}

TEST(Fsync, DoesNotRunWhenTheWriteFailed) {
  Ring ring;
  const Fd file = file_with("");
  const Fd nothing;
  Recorder<Write> write;
  Recorder<Fsync> fsync;
  write.operation.start(ring, nothing, {.bytes = bytes_of("lost"), .flags = IOSQE_IO_LINK});
  fsync.operation.start(ring, file, Fsync::What::all);
  run_until_disarmed(ring, fsync);
  EXPECT_EQ(fsync.cqes.at(0).res, -ECANCELED);
}

TEST(Fsync, APipeCannot) {
  Ring ring;
  const Pipe pipe;
  Recorder<Fsync> fsync;
  fsync.operation.start(ring, pipe.write_end, Fsync::What::all);
  run_until_disarmed(ring, fsync);
  EXPECT_EQ(fsync.cqes.at(0).res, -EINVAL);
}

}  // namespace
}  // namespace lab
