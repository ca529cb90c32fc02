// However a run ends, nothing of it stays on the disk that was not to be kept.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/ringio/ringio_process.hpp"
#include "tests/server/json.hpp"

namespace lab {
namespace {

std::vector<std::string> long_run(const TestFolder& folder, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"--directory", folder.path(), "--size", "1MiB",
                                 "--buffered",  "--runtime",   "60",     "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Until it has taken the results of more operations than it has in flight.
void wait_until_running(const RingioProcess& process) { ASSERT_TRUE(process.has_taken(1000)); }

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

// Whoever unmounts or opens the device exclusively right after the run must not be told that it is
// busy: a lease for writing is granted when nobody else has the file open, fcntl(2).
bool nobody_has(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fcntl(fd.get(), F_SETLEASE, F_WRLCK) == 0;
}

TEST(End, LetsGoOfTheFiles) {
  const TestFolder folder;
  const std::string path = folder.file("existing");
  std::ofstream(path) << std::string(1 << 20, 'x');
  {
    const Fd ours(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (nobody_has(path)) GTEST_SKIP() << "leases do not see here who has a file open";
  }
  const std::vector<std::vector<std::string>> kinds{
      {}, {"--jobs", "3"}, {"--sqpoll"}, {"--no-fixed-files"}, {"--no-fixed-buffers"}};
  for (int round = 0; round < 5; ++round) {
    for (const std::vector<std::string>& kind : kinds) {
      std::vector<std::string> words{"--buffered", "--count", "64", path};
      words.insert(words.end(), kind.begin(), kind.end());
      const RingioRun run(words);
      EXPECT_TRUE(nobody_has(path)) << "busy after " << (kind.empty() ? "" : kind.front());
      EXPECT_EQ(run.code, 0) << run.errors;
    }
    // The second job cannot be made, when the first one has its table: an error of set-up.
    const RingioRun refused(
        {"--buffered", "--jobs", "2", "--cpus", "0,4095", "--count", "64", path});
    EXPECT_TRUE(nobody_has(path)) << "busy after an error";
    EXPECT_EQ(refused.code, 2) << refused.errors;
    RingioProcess stopped({"--buffered", "--runtime", "60", path});
    wait_until_running(stopped);
    stopped.signal(SIGINT);
    EXPECT_EQ(stopped.wait(), 130) << stopped.errors();
    EXPECT_TRUE(nobody_has(path)) << "busy after Ctrl-C";
  }
}

}  // namespace
}  // namespace lab
