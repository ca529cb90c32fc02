// What ringio refuses, and that it says why and what to do. Nothing is written meanwhile.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/ringio/ringio_process.hpp"

namespace lab {
namespace {

using Words = std::vector<std::string>;

void expect_refused(
    const Words& words, const Words& texts, const RingioProcess::Before& before = [] {}) {
  const RingioRun run(words, before);
  EXPECT_EQ(run.code, 2) << run.output;
  for (const std::string& text : texts) {
    EXPECT_NE(run.errors.find(text), std::string::npos) << text << "\n" << run.errors;
  }
}

// 64 KiB of 'x'.
std::string existing_file(const TestFolder& folder) {
  const std::string path = folder.file("existing");
  std::ofstream(path) << std::string(65536, 'x');
  return path;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void limit(int resource, rlim_t value) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

TEST(Refuses, ToWriteAnExistingFileUnlessToldTo) {
  const TestFolder folder;
  const std::string path = existing_file(folder);
  for (const char* mode : {"write", "mixed"}) {
    expect_refused({"--mode", mode, "--buffered", "--count", "16", path}, {path, "--overwrite"});
  }
  EXPECT_EQ(bytes_of(path), std::string(65536, 'x'));
  const RingioRun run({"--mode", "write", "--buffered", "--overwrite", "--count", "16", path});
  EXPECT_EQ(run.code, 0) << run.errors;
  EXPECT_EQ(bytes_of(path).size(), 65536U);
  EXPECT_NE(bytes_of(path), std::string(65536, 'x'));
}

TEST(Refuses, NothingWhenReadingAnExistingFile) {
  const TestFolder folder;
  const std::string path = existing_file(folder);
  const RingioRun run({"--buffered", "--count", "100", path});
  EXPECT_EQ(run.code, 0) << run.errors;
  EXPECT_EQ(bytes_of(path), std::string(65536, 'x'));
}

TEST(Refuses, ToWriteADevice) {
  expect_refused({"--mode", "write", "/dev/zero"}, {"/dev/zero is neither a file nor a block"});
  struct stat status {};
  // A loop device: where none is attached it has no bytes, so nothing could be lost.
  if (stat("/dev/loop0", &status) != 0) GTEST_SKIP() << "there is no /dev/loop0 to ask about";
  expect_refused({"--mode", "write", "/dev/loop0"}, {"is a device", "--overwrite-device"});
  expect_refused({"--mode", "write", "--overwrite", "/dev/loop0"},
                 {"is a device", "--overwrite-device"});
}

TEST(Refuses, AFileThatIsNotThere) {
  const TestFolder folder;
  expect_refused({folder.file("nobody")}, {"No such file", "Cure"});
  expect_refused({"--directory", folder.file("nowhere")}, {"no file can be made in", "Cure"});
  EXPECT_TRUE(folder.empty());
}

TEST(Refuses, AFileThatIsTooShort) {
  const TestFolder folder;
  const std::string path = existing_file(folder);
  expect_refused({"--buffered", "--size", "128KiB", path}, {"too short", "65536"});
  expect_refused({"--buffered", "--block-size", "128KiB", path}, {"too short", "0 blocks"});
  expect_refused({"--buffered", "--jobs", "17", path}, {"16 blocks", "17 jobs"});
  expect_refused({"--buffered", "--verify", "--depth", "9", path}, {"16 blocks", "18"});
}

TEST(Refuses, WhatODirectCannotDo) {
  const TestFolder folder;
  // A file of sysfs: it has a size, and its file system never takes O_DIRECT.
  expect_refused({"/sys/kernel/mm/transparent_hugepage/enabled"},
                 {"refuses O_DIRECT", "--buffered"});
  SKIP_WITHOUT_DIRECT(folder);
  expect_refused({"--directory", folder.path(), "--block-size", "1000"},
                 {"--block-size 1000 is not a multiple of", "--buffered"});
  EXPECT_TRUE(folder.empty());
}

TEST(Refuses, MoreThanTheDiskHas) {
  const TestFolder folder;
  expect_refused({"--directory", folder.path(), "--size", "1000000TiB", "--buffered"},
                 {"the disk is too full", "MiB are free"});
  EXPECT_TRUE(folder.empty());
}

// 1 PiB: more than any machine has. What a limit leaves is all that there is, too.
TEST(Refuses, MoreMemoryThanTheMachineHas) {
  const TestFolder folder;
  expect_refused({"--directory", folder.path(), "--size", "1TiB", "--jobs", "1024", "--depth",
                  "16384", "--block-size", "64MiB"},
                 {"--jobs 1024 x --depth 16384 x --block-size 67108864", "1073741824 MiB of memory",
                  "Cure: less of one of them"});
  EXPECT_TRUE(folder.empty());
}

TEST(Refuses, MoreFilesThanDescriptors) {
  const TestFolder folder;
  expect_refused({"--directory", folder.path(), "--files", "100", "--size", "64KiB"},
                 {"100 files", "64 descriptors", "ulimit -Hn"}, [] { limit(RLIMIT_NOFILE, 64); });
  EXPECT_TRUE(folder.empty());
}

// As an ordinary user with so much memory that may be locked; root is exempt. A user of its own,
// for all processes of a user share the limit.
RingioProcess::Before poor(rlim_t bytes) {
  return [bytes] {
    limit(RLIMIT_MEMLOCK, bytes);
    const auto user = static_cast<uid_t>(1'000'000 + getpid());
    if (geteuid() == 0 && (setgid(user) != 0 || setuid(user) != 0)) _exit(126);
  };
}

Words small_run(const TestFolder& folder, const Words& more) {
  Words words{"--directory", folder.path(), "--size", "2MiB", "--count", "200", "--buffered"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Four times 32 blocks of 4 KiB are half a MiB. In huge pages they would be charged 8.
TEST(LockedMemory, IsNotChargedForWholeHugePages) {
  const TestFolder folder;
  for (const Words& more : {Words{"--jobs", "4"}, Words{"--jobs", "8"}, Words{"--jobs", "16"}}) {
    const RingioRun run(small_run(folder, more), poor(8 << 20));
    EXPECT_EQ(run.code, 0) << run.errors;
    EXPECT_EQ(run.errors, "");
    EXPECT_NE(run.output.find("fixed-buffers"), std::string::npos) << run.output;
  }
}

TEST(LockedMemory, ThatIsShortIsSaidAndDoneWithout) {
  const TestFolder folder;
  const Words words = small_run(folder, {"--depth", "64"});
  const RingioRun run(words, poor(128 << 10));
  EXPECT_EQ(run.code, 0) << run.errors;
  for (const char* text : {"1 of 1 jobs run without registered buffers", "1 x 64 x 4096 bytes",
                           "ulimit -l: 128 KiB", "Cure: --depth 16, or", "--no-fixed-buffers"}) {
    EXPECT_NE(run.errors.find(text), std::string::npos) << text << "\n" << run.errors;
  }
  EXPECT_EQ(run.output.find("fixed-buffers"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("1 of 1 jobs had no registered buffers"), std::string::npos);
}

// What the message names as cures, each tried.
TEST(LockedMemory, TheCuresHelp) {
  const TestFolder folder;
  const RingioRun less(small_run(folder, {"--depth", "16"}), poor(128 << 10));
  EXPECT_EQ(less.code, 0);
  EXPECT_EQ(less.errors, "");
  EXPECT_NE(less.output.find("fixed-buffers"), std::string::npos) << less.output;
  const RingioRun without(small_run(folder, {"--depth", "64", "--no-fixed-buffers"}),
                          poor(128 << 10));
  EXPECT_EQ(without.code, 0);
  EXPECT_EQ(without.errors, "");
  const RingioRun more(small_run(folder, {"--depth", "64"}), poor(1 << 20));
  EXPECT_EQ(more.code, 0);
  EXPECT_EQ(more.errors, "");
}

TEST(Refuses, IopollWhereTheDeviceCannotBePolled) {
  const TestFolder folder;
  SKIP_WITHOUT_DIRECT(folder);
  const RingioRun run({"--directory", folder.path(), "--size", "1MiB", "--iopoll", "--count", "9"});
  if (run.code == 0) GTEST_SKIP() << "this device can be polled";
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.errors.find("cannot be polled"), std::string::npos) << run.errors;
  EXPECT_NE(run.errors.find("poll_queues"), std::string::npos) << run.errors;
  EXPECT_TRUE(folder.empty());
}

TEST(Refuses, OptionsThatContradict) {
  expect_refused({"--batch", "8", "--depth", "4"}, {"--batch", "--depth 4"});
  expect_refused({"--read-share", "50"}, {"--read-share", "--mode mixed"});
  expect_refused({"--iopoll", "--buffered"}, {"--iopoll", "--buffered"});
  expect_refused({"--count", "3", "--jobs", "4"}, {"--count", "4 jobs"});
  expect_refused({"--mode", "sideways"}, {"--mode"});
  expect_refused({"--depth", "0"}, {"--depth"});
}

// The alarm ends what would run for ever, and fails the test with it.
TEST(Refuses, ATimeThatIsNoNumber) {
  for (const char* option : {"--runtime", "--warmup"}) {
    for (const char* value : {"nan", "-nan", "inf", "-1"}) {
      expect_refused({option, value, "--size", "1MiB", "--buffered"}, {option, value, "between"},
                     [] { alarm(5); });
    }
  }
}

TEST(Refuses, ASizeOutOfRange) {
  const TestFolder folder;
  for (const char* size : {"-1", "0", "511", "-1KiB", "2000000TiB", "99999999999999999999"}) {
    expect_refused({"--directory", folder.path(), "--size", size}, {"--size"});
  }
  expect_refused({"--size", "-1"}, {"-1 is not between 512 and 1152921504606846976"});
  expect_refused({"--size", "0"}, {"0 is not between 512 and"});
  // A folder that is not there: the words come before any file is made.
  expect_refused({"--directory", folder.file("nowhere"), "--size", "4095"},
                 {"4095 bytes are less than one block of 4096"});
  expect_refused({"--block-size", "-1"}, {"--block-size", "-1 is not between 512 and 67108864"});
  expect_refused({"--seed", "-1"}, {"--seed", "-1 is not between"});
  for (const char* option : {"--files", "--depth", "--jobs", "--batch", "--submit", "--read-share",
                             "--count", "--cpus"}) {
    expect_refused({option, "-1", "--directory", folder.path()}, {option, "-1"});
  }
  EXPECT_TRUE(folder.empty());
}

// A sum of sizes that is 0 in 64 bits. The limit is for the case that it begins to write them.
TEST(Refuses, MoreThan64BitsOfFiles) {
  const TestFolder folder;
  expect_refused(
      {"--directory", folder.path(), "--size", "1048576TiB", "--files", "16", "--buffered"},
      {"the disk is too full", "16 x 1099511627776 MiB"}, [] { limit(RLIMIT_FSIZE, 1 << 20); });
  EXPECT_TRUE(folder.empty());
}

class SameFile : public testing::Test {
 protected:
  Words twice(const std::string& other, const Words& more) const {
    Words words{"--buffered", "--count", "16", "--depth", "4", path_, other};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  void expect_same(const std::string& other, const std::string& text) const {
    for (const Words& words : {Words{"--mode", "write", "--overwrite"},
                               {"--mode", "mixed", "--overwrite", "--verify"},
                               {"--verify"}}) {
      expect_refused(twice(other, words), {text, "Cure: name each file once"});
    }
    EXPECT_EQ(bytes_of(path_), std::string(65536, 'x'));
    const RingioRun run(twice(other, {}));
    EXPECT_EQ(run.code, 0) << run.errors;
  }

  const TestFolder folder_;
  const std::string path_ = existing_file(folder_);
  const std::string link_ = folder_.file("link");
};

TEST_F(SameFile, NamedTwice) { expect_same(path_, path_ + " is named twice"); }

TEST_F(SameFile, ByAHardLink) {
  ASSERT_EQ(link(path_.c_str(), link_.c_str()), 0);
  expect_same(link_, link_ + " is the same file as " + path_);
}

TEST_F(SameFile, ByASymbolicLink) {
  ASSERT_EQ(symlink(path_.c_str(), link_.c_str()), 0);
  expect_same(link_, link_ + " is the same file as " + path_);
}

// The first name makes the file that the second one finds.
TEST_F(SameFile, ThatTheRunHasMade) {
  const std::string made = folder_.file("new");
  expect_refused({"--mode", "write", "--size", "64KiB", "--buffered", "--count", "9", "--keep",
                  "--overwrite", made, made},
                 {"is named twice"});
  EXPECT_FALSE(std::filesystem::exists(made));
}

TEST_F(SameFile, ButNotTwoFiles) {
  std::filesystem::copy_file(path_, link_);
  const RingioRun run(twice(link_, {"--mode", "write", "--overwrite", "--verify"}));
  EXPECT_EQ(run.code, 0) << run.output << run.errors;
}

TEST(Plot, ThatCannotBeWrittenIsRefusedBeforeTheRun) {
  const TestFolder folder;
  const std::string file = existing_file(folder);
  for (const std::string& plot : {file, file + "/below", std::string("/proc/x")}) {
    // Not even its file is made: that folder is not there.
    expect_refused({"--directory", folder.file("nowhere"), "--plot", plot}, {"--plot " + plot});
  }
  EXPECT_EQ(bytes_of(file), std::string(65536, 'x'));
}

TEST(Plot, ThatFailsInTheEndIsNoSuccess) {
  const TestFolder folder;
  const std::string plot = folder.file("plot");
  // Where a file is to be, a folder is.
  std::filesystem::create_directories(plot + "/iops.dat");
  expect_refused({"--directory", folder.path(), "--size", "256KiB", "--buffered", "--runtime",
                  "0.3", "--plot", plot},
                 {"no plot: the files in " + plot + " cannot be written"});
  expect_refused({"--directory", folder.path(), "--size", "256KiB", "--buffered", "--count", "1",
                  "--plot", plot},
                 {"no plot: "});
}

TEST(Help, TeachesInGroupsWithExamples) {
  const RingioRun run({"--help"});
  EXPECT_EQ(run.code, 0);
  for (const char* text :
       {"Files:", "Load:", "How the kernel is asked:", "How long:", "Content:", "Output:",
        "Examples:", "Exit code:", "pictures of --plot could not be written"}) {
    EXPECT_NE(run.output.find(text), std::string::npos) << text;
  }
}

void on_full_disk(int stream) { dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), stream); }

TEST(Result, ThatNobodyGotIsNoSuccess) {
  const TestFolder folder;
  const Words short_run{"--directory", folder.path(), "--size",  "64KiB", "--buffered",
                        "--count",     "9",           "--depth", "4"};
  Words json = short_run;
  json.emplace_back("--json");
  for (const Words& words : {short_run, json, Words{"--help"}}) {
    expect_refused(words, {"ringio: the result cannot be written: "},
                   [] { on_full_disk(STDOUT_FILENO); });
    expect_refused(words, {"ringio: the result cannot be written: "}, [] { close(STDOUT_FILENO); });
  }
}

TEST(Complaint, ThatCannotBeSaidDoesNotChangeTheExitCode) {
  const TestFolder folder;
  const Words nothing_there{"--buffered", folder.file("nobody")};
  const Words wrong_content{"--buffered", "--verify", "--depth", "4",
                            "--count",    "16",       "--json",  existing_file(folder)};
  for (const auto& before : {+[] { close(STDERR_FILENO); }, +[] { on_full_disk(STDERR_FILENO); }}) {
    EXPECT_EQ(RingioRun(nothing_there, before).code, 2);
    const RingioRun run(wrong_content, before);
    EXPECT_EQ(run.code, 1);
    EXPECT_NE(run.output.find("\"content_errors\""), std::string::npos) << run.output;
  }
}

// A number that is free is the next file's: what is said must not be written into it.
TEST(ClosedStreams, AreNotTheFileThatIsMeasured) {
  const TestFolder folder;
  const std::string path = existing_file(folder);
  const RingioRun run({"--mode", "write", "--overwrite", "--sequential", "--buffered", "--verify",
                       "--depth", "4", "--count", "16", path},
                      [] {
                        for (int fd = 0; fd <= STDERR_FILENO; ++fd) close(fd);
                      });
  EXPECT_EQ(run.code, 2);
  const RingioRun read(
      {"--sequential", "--buffered", "--verify", "--depth", "4", "--count", "16", path});
  EXPECT_EQ(read.code, 0) << read.output << read.errors;
}

}  // namespace
}  // namespace lab
