#include "02-files/lib/read.hpp"

#include <array>

#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

class ReadTest : public testing::Test {
 protected:
  std::string text(const Recorder<Read>& read) const {
    const std::span<const std::byte> got(memory_.data(),
                                         static_cast<std::size_t>(read.cqes.at(0).res));
    return {reinterpret_cast<const char*>(got.data()), got.size()};
  }

  Ring ring_;
  std::array<std::byte, 64> memory_{};
  Recorder<Read> read_;
};

TEST_F(ReadTest, ReadsFromAnOffset) {
  const Fd file = file_with("hello, file");
  read_.operation.start(ring_, file, {.memory = memory_, .offset = 7});
  run_until_disarmed(ring_, read_);
  EXPECT_EQ(text(read_), "file");
}

TEST_F(ReadTest, TheOwnPositionMoves) {
  const Fd file = file_with("abcdef");
  for (const char* piece : {"abcd", "ef", ""}) {
    Recorder<Read> read;
    read.operation.start(ring_, file, {.memory = std::span(memory_).first(4)});
    run_until_disarmed(ring_, read);
    EXPECT_EQ(text(read), piece);
  }
}

TEST_F(ReadTest, ReadsFromASlot) {
  const FileTable table(ring_, 4);
  const Fd file = file_with("in a slot");
  const int fd = file.get();
  check(io_uring_register_files_update(ring_.raw(), 2, &fd, 1), "update");
  read_.operation.start(ring_, FileSlot{2}, {.memory = memory_, .offset = 0});
  run_until_disarmed(ring_, read_);
  EXPECT_EQ(text(read_), "in a slot");
}

TEST_F(ReadTest, APipeBringsWhatIsThere) {
  const Pipe pipe;
  read_.operation.start(ring_, pipe.read_end, {.memory = memory_});
  ring_.run_once(0);
  EXPECT_TRUE(read_.operation.armed());
  pipe.write("three");
  run_until_disarmed(ring_, read_);
  EXPECT_EQ(text(read_), "three");
}

TEST_F(ReadTest, AWrongDescriptorIsAResult) {
  const Fd nothing;
  read_.operation.start(ring_, nothing, {.memory = memory_});
  run_until_disarmed(ring_, read_);
  EXPECT_EQ(read_.cqes.at(0).res, -EBADF);
}

}  // namespace
}  // namespace lab
