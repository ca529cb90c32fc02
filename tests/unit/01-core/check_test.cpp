#include "01-core/lib/check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lab {
namespace {

TEST(Check, PassesWhatIsNotNegative) {
  EXPECT_EQ(check(0, "call"), 0);
  EXPECT_EQ(check(17, "call"), 17);
  EXPECT_EQ(check_errno(17, "call"), 17);
}

TEST(Check, TurnsANegativeResultIntoItsErrno) {
  errno = EIO;  // must not be the one that is reported
  try {
    check(-ENOENT, "io_uring_something");
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("io_uring_something"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos) << error.what();
  }
}

TEST(Check, TakesErrnoForCallsOfLibc) {
  errno = EACCES;
  try {
    check_errno(-1, "bind");
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::permission_denied);
    EXPECT_NE(std::string(error.what()).find("bind"), std::string::npos);
  }
}

}  // namespace
}  // namespace lab
