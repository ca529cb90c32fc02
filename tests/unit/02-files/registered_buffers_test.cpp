#include "02-files/lib/registered_buffers.hpp"

#include <system_error>

#include "02-files/lib/huge_arena.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/write.hpp"
#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

constexpr std::size_t buffer_size = 4096;

TEST(RegisteredBuffers, AnyPartOfABufferCanBeNamed) {
  Ring ring;
  const HugeArena arena(4 * buffer_size);
  const RegisteredBuffers buffers(ring, arena.memory(), buffer_size);
  ASSERT_EQ(buffers.count(), 4U);
  const Fd file = file_with("registered");
  const std::span<std::byte> part = buffers.buffer(2).subspan(100, 10);
  Recorder<Read> read;
  read.operation.start(ring, file, {.memory = part, .offset = 0, .registered_buffer = 2});
  run_until_disarmed(ring, read);
  ASSERT_EQ(read.cqes.at(0).res, 10);
  Recorder<Write> write;
  write.operation.start(ring, file, {.bytes = part, .offset = 10, .registered_buffer = 2});
  run_until_disarmed(ring, write);
  EXPECT_EQ(text_of(file), "registeredregistered");
}

TEST(RegisteredBuffers, MemoryOutsideTheBufferIsRefused) {
  Ring ring;
  const HugeArena arena(2 * buffer_size);
  const RegisteredBuffers buffers(ring, arena.memory(), buffer_size);
  const Fd file = file_with("text");
  Recorder<Read> read;
  read.operation.start(ring, file,
                       {.memory = buffers.buffer(1), .offset = 0, .registered_buffer = 0});
  run_until_disarmed(ring, read);
  EXPECT_EQ(read.cqes.at(0).res, -EFAULT);
}

TEST(RegisteredBuffers, ARingHasOneSet) {
  Ring ring;
  const HugeArena arena(2 * buffer_size);
  const RegisteredBuffers buffers(ring, arena.memory().first(buffer_size), buffer_size);
  try {
    const RegisteredBuffers more(ring, arena.memory().subspan(buffer_size, buffer_size),
                                 buffer_size);
    FAIL() << "a second set was taken";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EBUSY);
  }
}

TEST(RegisteredBuffers, ItsDeathMakesRoom) {
  Ring ring;
  const HugeArena arena(buffer_size);
  { const RegisteredBuffers first(ring, arena.memory().first(buffer_size), buffer_size); }
  EXPECT_NO_THROW(
      const RegisteredBuffers second(ring, arena.memory().first(buffer_size), buffer_size));
}

}  // namespace
}  // namespace lab
