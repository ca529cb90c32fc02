#include "02-files/lib/splice.hpp"

#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

std::string read_text(const Fd& pipe) {
  std::string text(64, '\0');
  text.resize(check_size(read(pipe.get(), text.data(), text.size()), "read"));
  return text;
}

TEST(Splice, FromAFileThroughAPipeIntoAFile) {
  Ring ring;
  const Fd from = file_with("0123456789");
  const Fd to = file_with("");
  const Pipe pipe;
  Recorder<Splice> in;
  in.operation.start(ring, {.from = from, .from_offset = 4, .to = pipe.write_end, .bytes_max = 3});
  run_until_disarmed(ring, in);
  EXPECT_EQ(in.cqes.at(0).res, 3);
  Recorder<Splice> out;
  out.operation.start(ring, {.from = pipe.read_end, .to = to, .to_offset = 0, .bytes_max = 64});
  run_until_disarmed(ring, out);
  EXPECT_EQ(out.cqes.at(0).res, 3);
  EXPECT_EQ(text_of(to), "456");
}

TEST(Splice, TheEndIsZero) {
  Ring ring;
  const Fd from = file_with("");
  const Pipe pipe;
  Recorder<Splice> in;
  in.operation.start(ring, {.from = from, .from_offset = 0, .to = pipe.write_end, .bytes_max = 64});
  run_until_disarmed(ring, in);
  EXPECT_EQ(in.cqes.at(0).res, 0);
}

TEST(Splice, WithoutAPipeItCannot) {
  Ring ring;
  const Fd from = file_with("abc");
  const Fd to = file_with("");
  Recorder<Splice> both;
  both.operation.start(ring,
                       {.from = from, .from_offset = 0, .to = to, .to_offset = 0, .bytes_max = 3});
  run_until_disarmed(ring, both);
  EXPECT_EQ(both.cqes.at(0).res, -EINVAL);
}

TEST(Splice, TeeLeavesTheSourceAsItIs) {
  Ring ring;
  const Pipe from;
  const Pipe to;
  from.write("twice");
  Recorder<Splice> tee;
  tee.operation.start_tee(ring, from.read_end, to.write_end, 64);
  run_until_disarmed(ring, tee);
  EXPECT_EQ(tee.cqes.at(0).res, 5);
  EXPECT_EQ(read_text(from.read_end), "twice");
  EXPECT_EQ(read_text(to.read_end), "twice");
}

}  // namespace
}  // namespace lab
