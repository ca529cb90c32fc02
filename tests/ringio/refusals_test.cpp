// What ringio refuses, and that it says why and what to do. Nothing is written meanwhile.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST(Refuses, MoreFilesThanDescriptors) {
  const TestFolder folder;
  expect_refused({"--directory", folder.path(), "--files", "100", "--size", "64KiB"},
                 {"100 files", "64 descriptors", "ulimit -Hn"}, [] { limit(RLIMIT_NOFILE, 64); });
  EXPECT_TRUE(folder.empty());
}

TEST(Refuses, MoreBuffersThanMayBeLocked) {
  const TestFolder folder;
  const auto poor = [] {
    limit(RLIMIT_MEMLOCK, 65536);
    // root is exempt from the limit.
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(126);
  };
  const Words words{"--directory", folder.path(), "--size",  "1MiB", "--count",
                    "100",         "--buffered",  "--depth", "64"};
  expect_refused(words, {"64 x 4096 bytes", "64 KiB", "--no-fixed-buffers"}, poor);
  Words cured = words;
  cured.emplace_back("--no-fixed-buffers");
  const RingioRun run(cured, poor);
  EXPECT_EQ(run.code, 0) << run.errors;
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

TEST(Help, TeachesInGroupsWithExamples) {
  const RingioRun run({"--help"});
  EXPECT_EQ(run.code, 0);
  for (const char* text : {"Files:", "Load:", "How the kernel is asked:", "How long:", "Content:",
                           "Output:", "Examples:", "Exit code:"}) {
    EXPECT_NE(run.output.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace lab
