// However a run ends, nothing of it stays on the disk that was not to be kept.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/ringio/ringio_process.hpp"
#include "tests/server/json.hpp"

namespace lab {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> long_run(const TestFolder& folder, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"--directory", folder.path(), "--size", "1MiB",
                                 "--buffered",  "--runtime",   "60",     "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The ring is there when the files are, and the load begins at once.
void wait_until_running(const RingioProcess& process) {
  ASSERT_TRUE(process.opens("io_uring"));
  std::this_thread::sleep_for(200ms);
}

TEST(CtrlC, EndsTheRunWithAReportAndNoFile) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TestFolder folder;
    RingioProcess process(long_run(folder, {"--mode", "mixed", "--files", "2"}));
    EXPECT_TRUE(process.opens(folder.path()));
    wait_until_running(process);
    EXPECT_TRUE(folder.empty());  // its files have no names any more
    process.signal(signal);
    EXPECT_EQ(process.wait(), 130);
    const std::string text = process.output();
    const Json json = JsonReader::read(text.substr(0, text.find('\n')));
    EXPECT_EQ(std::get<std::string>(json["result"].value), "stopped");
    EXPECT_GT(json["operations"].number(), 0);
    EXPECT_LT(json["seconds"].number(), 50);
    EXPECT_TRUE(folder.empty());
  }
}

TEST(CtrlC, WhileTheFilesAreFilled) {
  const TestFolder folder;
  for (const bool keep : {false, true}) {
    std::vector<std::string> words{"--directory", folder.path(), "--size", "2GiB", "--buffered"};
    if (keep) words.emplace_back("--keep");
    RingioProcess process(words);
    ASSERT_TRUE(process.opens(folder.path()));
    process.signal(SIGINT);
    EXPECT_EQ(process.wait(), 130) << process.errors();
    EXPECT_TRUE(folder.empty()) << "a file that is not complete stayed, keep: " << keep;
  }
}

TEST(CtrlC, LeavesACompleteFileThatIsToBeKept) {
  const TestFolder folder;
  const std::string path = folder.file("kept");
  RingioProcess process({"--mode", "write", "--size", "1MiB", "--buffered", "--verify", "--runtime",
                         "60", "--keep", path});
  wait_until_running(process);
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), 130) << process.errors();
  EXPECT_NE(process.output().find("not read back"), std::string::npos) << process.output();
  EXPECT_EQ(std::filesystem::file_size(path), std::uintmax_t{1} << 20);
  const RingioRun read({"--buffered", "--verify", "--sequential", "--count", "256", path});
  EXPECT_EQ(read.code, 0) << read.output << read.errors;
}

TEST(Kill, LeavesNothingEither) {
  const TestFolder folder;
  RingioProcess process(long_run(folder));
  wait_until_running(process);
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(), 1000 + SIGKILL);
  EXPECT_TRUE(folder.empty());
}

TEST(End, OfAFileThatBecomesShorterIsAFailure) {
  const TestFolder folder;
  const std::string path = folder.file("existing");
  {
    const RingioRun made(
        {"--mode", "write", "--size", "1MiB", "--count", "1", "--buffered", "--keep", path});
    ASSERT_EQ(made.code, 0) << made.errors;
  }
  RingioProcess process({"--buffered", "--runtime", "60", path});
  wait_until_running(process);
  std::filesystem::resize_file(path, 4096);
  EXPECT_EQ(process.wait(), 1);
  EXPECT_NE(process.output().find("has the file become shorter?"), std::string::npos)
      << process.output();
}

}  // namespace
}  // namespace lab
