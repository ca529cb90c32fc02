#include "01-core/lib/features.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include "tests/refuse_calls.hpp"

namespace lab {
namespace {

constexpr auto feature_count = static_cast<std::size_t>(Feature::count);

std::ptrdiff_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
}

TEST(Features, ThisKernelHasWhatTheServerNeeds) {
  const Features features = Features::detect();
  const Feature missing = features.missing();
  EXPECT_EQ(missing, Feature::count)
      << Features::info(missing).name << ": errno " << features.error(missing);
  EXPECT_TRUE(features.has(Feature::ring));
  EXPECT_EQ(features.error(Feature::ring), 0);
}

TEST(Features, TryingTwiceGivesTheSame) {
  const Features first = Features::detect();
  const Features second = Features::detect();
  for (std::size_t index = 0; index < feature_count; ++index) {
    const auto feature = static_cast<Feature>(index);
    EXPECT_EQ(first.error(feature), second.error(feature)) << Features::info(feature).name;
  }
}

TEST(Features, TryingLeavesNothingOpen) {
  const std::ptrdiff_t before = open_files();
  Features::detect();
  EXPECT_EQ(open_files(), before);
}

TEST(Features, AnErrnoIsPositive) {
  const Features features = Features::detect();
  for (std::size_t index = 0; index < feature_count; ++index) {
    EXPECT_GE(features.error(static_cast<Feature>(index)), 0)
        << Features::info(static_cast<Feature>(index)).name;
  }
}

TEST(Features, PretendIsBelieved) {
  Features features = Features::detect();
  features.pretend(Feature::send_zero_copy, ENOSYS);
  EXPECT_FALSE(features.has(Feature::send_zero_copy));
  EXPECT_EQ(features.error(Feature::send_zero_copy), ENOSYS);
  EXPECT_EQ(features.missing(), Feature::count) << "zero copy is not required";

  features.pretend(Feature::recv_multishot, EINVAL);
  features.pretend(Feature::file_table, EPERM);
  EXPECT_EQ(features.missing(), Feature::file_table) << "the first one in the doctor's order";
  features.pretend(Feature::file_table, 0);
  EXPECT_EQ(features.missing(), Feature::recv_multishot);
}

TEST(Features, EachHasItsOwnDescription) {
  std::set<std::string> names;
  for (std::size_t index = 0; index < feature_count; ++index) {
    const FeatureInfo& info = Features::info(static_cast<Feature>(index));
    ASSERT_NE(info.name, nullptr);
    ASSERT_NE(info.since, nullptr);
    ASSERT_NE(info.use, nullptr);
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " stands there twice";
    EXPECT_NE(std::string_view(info.since).find('.'), std::string_view::npos) << info.since;
  }
}

// So that --without takes them unquoted, and whoever knows the enumerator knows the name.
TEST(Features, NamesAreWordsForACommandLine) {
  for (std::size_t index = 0; index < feature_count; ++index) {
    const std::string_view name = Features::info(static_cast<Feature>(index)).name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), name.npos) << name;
  }
  EXPECT_STREQ(Features::info(Feature::recv_retry_limit).name, "recv-retry-limit");
  EXPECT_STREQ(Features::info(Feature::min_wait).name, "min-wait") << "the last one";
}

TEST(Features, SetupErrorsSayCauseAndCure) {
  std::set<std::string> texts;
  for (const int error : {ENOSYS, EPERM, EINVAL, ENOMEM, EMFILE}) {
    const std::string text = explain_setup_error(error);
    EXPECT_NE(text.find("Cure: "), std::string::npos) << text;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
  EXPECT_NE(explain_setup_error(EIO).find("Input/output error"), std::string::npos);
}

TEST(FeaturesDeathTest, ARingThatMayNotBeEnteredIsNone) {
  EXPECT_EXIT(
      {
        refuse_calls({SYS_io_uring_enter}, EPERM);
        const Features features = Features::detect();
        const bool right = features.missing() == Feature::ring &&
                           features.error(Feature::ring) == EPERM &&
                           features.error(Feature::cancel) == EPERM;
        _exit(right ? 7 : 8);
      },
      testing::ExitedWithCode(7), "");
}

TEST(Features, TheReleaseIsWhatUnameSays) {
  utsname name{};
  ASSERT_EQ(uname(&name), 0);
  EXPECT_EQ(kernel_release(), name.release);
}

}  // namespace
}  // namespace lab
