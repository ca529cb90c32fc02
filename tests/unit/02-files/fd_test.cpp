#include "02-files/lib/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <type_traits>
#include <utility>

namespace lab {
namespace {

static_assert(!std::is_copy_constructible_v<Fd> && !std::is_copy_assignable_v<Fd>);
static_assert(std::is_nothrow_move_constructible_v<Fd> && std::is_nothrow_move_assignable_v<Fd>);

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF; }

TEST(Fd, ClosesWhenItDies) {
  const int raw = open_null();
  {
    const Fd fd(raw);
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(Fd, HoldsNothingByDefault) {
  const Fd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
}

TEST(Fd, DescriptorZeroIsOne) {
  Fd fd(0);
  EXPECT_TRUE(fd);
  EXPECT_EQ(fd.release(), 0) << "and is not closed here";
}

TEST(Fd, MovingMovesTheOwnership) {
  const int raw = open_null();
  Fd first(raw);
  Fd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), raw);
  first.reset();
  EXPECT_TRUE(is_open(raw));
}

TEST(Fd, AssigningClosesWhatWasHeld) {
  const int raw_old = open_null(), raw_new = open_null();
  Fd target(raw_old);
  Fd source(raw_new);
  target = std::move(source);
  EXPECT_FALSE(is_open(raw_old));
  EXPECT_TRUE(is_open(raw_new));
  EXPECT_EQ(target.get(), raw_new);
  EXPECT_FALSE(source);
}

TEST(Fd, AssigningItselfKeepsIt) {
  Fd fd(open_null());
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(Fd, ReleaseGivesTheDuty) {
  const int raw = open_null();
  {
    Fd fd(raw);
    EXPECT_EQ(fd.release(), raw);
    EXPECT_FALSE(fd);
  }
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
}

TEST(Fd, ResetClosesOnce) {
  const int raw = open_null();
  Fd fd(raw);
  fd.reset();
  EXPECT_FALSE(is_open(raw));
  const Fd reuse(open_null());  // the kernel gives the lowest number again
  fd.reset();
  EXPECT_TRUE(is_open(reuse.get())) << "a second reset() closed somebody else's file";
}

}  // namespace
}  // namespace lab
