// Every way of asking the kernel, short, with what it reports compared with what happened.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "05-performance/ringio/block_stamp.hpp"
#include "tests/ringio/ringio_process.hpp"
#include "tests/server/json.hpp"

namespace lab {
namespace {

using Words = std::vector<std::string>;

constexpr std::size_t block_size = 4096;
constexpr std::size_t blocks = 256;        // of the kept files: 1 MiB
constexpr std::size_t blocks_of_own = 64;  // 256 KiB

// On files of its own in the test's folder.
Words own_file(const TestFolder& folder, const Words& more) {
  Words words{"--directory", folder.path(), "--size", "256KiB", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void change(const std::string& path, std::size_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

struct Mode {
  std::string name;
  Words words;
  bool buffered = false;
};

class Modes : public testing::TestWithParam<Mode> {};

TEST_P(Modes, CountsAddUp) {
  const TestFolder folder;
  if (!GetParam().buffered) SKIP_WITHOUT_DIRECT(folder);
  for (const std::string mode : {"read", "write", "mixed"}) {
    Words words = own_file(folder, {"--mode", mode, "--count", "300", "--verify"});
    words.insert(words.end(), GetParam().words.begin(), GetParam().words.end());
    const RingioRun run(words);
    ASSERT_EQ(run.code, 0) << mode << run.errors;
    const Json json = JsonReader::read(run.output.substr(0, run.output.find('\n')));
    const double reads = json["reads"].number();
    const double writes = json["writes"].number();
    EXPECT_EQ(reads + writes, 300);
    EXPECT_EQ(json["operations"].number(), 300);
    EXPECT_EQ(json["bytes"].number(), 300.0 * block_size);
    EXPECT_EQ(reads > 0, mode != "write");
    EXPECT_EQ(writes > 0, mode != "read");
    EXPECT_EQ(json.has("read_latency_ns"), reads > 0);
    EXPECT_EQ(json.has("write_latency_ns"), writes > 0);
    EXPECT_EQ(json["content_errors"].number(), 0);
    // Every read is checked, and after writes every block once more.
    const double read_back = writes > 0 ? json["files"].number() * blocks_of_own : 0;
    EXPECT_EQ(json["blocks_checked"].number(), reads + read_back);
    EXPECT_TRUE(folder.empty());
  }
}

const Mode all_modes[] = {
    {"direct", {}},
    {"buffered", {"--buffered"}, true},
    {"sequential", {"--sequential"}},
    {"depth1", {"--depth", "1"}},
    {"plain", {"--no-fixed-buffers", "--no-fixed-files"}},
    {"sqpoll", {"--sqpoll"}},
    {"batches", {"--batch", "8", "--submit", "32"}},
    {"jobs", {"--jobs", "3", "--depth", "4"}},
    {"files", {"--files", "3"}},
    {"bufferedPlain", {"--buffered", "--no-fixed-buffers", "--no-fixed-files"}, true},
};
INSTANTIATE_TEST_SUITE_P(Ringio, Modes, testing::ValuesIn(all_modes),
                         [](const auto& instance) { return instance.param.name; });

TEST(Runs, ForTheTimeThatWasAsked) {
  const TestFolder folder;
  const RingioRun run(own_file(folder, {"--buffered", "--runtime", "0.3", "--warmup", "0.1"}));
  ASSERT_EQ(run.code, 0) << run.errors;
  const Json json = JsonReader::read(run.output.substr(0, run.output.find('\n')));
  EXPECT_GE(json["seconds"].number(), 0.3);
  EXPECT_GT(json["operations"].number(), 0);
  const double rate = json["operations"].number() / json["seconds"].number();
  EXPECT_NEAR(json["operations_per_second"].number() / rate, 1, 1e-4);
}

TEST(Runs, DepthOneIsOneSystemCallAnOperation) {
  const TestFolder folder;
  SKIP_WITHOUT_DIRECT(folder);
  const RingioRun run(own_file(folder, {"--depth", "1", "--count", "500"}));
  ASSERT_EQ(run.code, 0) << run.errors;
  const Json json = JsonReader::read(run.output.substr(0, run.output.find('\n')));
  EXPECT_GE(json["system_calls"].number(), 500);
  EXPECT_LE(json["system_calls"].number(), 510);
}

// The file holds what the report says was written: every block once, with its own stamp.
TEST(Writes, AreInTheFile) {
  const TestFolder folder;
  const std::string path = folder.file("new");
  const RingioRun run({"--mode", "write", "--sequential", "--count", "256", "--size", "1MiB",
                       "--buffered", "--verify", "--keep", "--seed", "5", path});
  ASSERT_EQ(run.code, 0) << run.errors;
  EXPECT_NE(run.output.find("kept            " + path), std::string::npos) << run.output;
  const std::string bytes = bytes_of(path);
  ASSERT_EQ(bytes.size(), blocks * block_size);
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto content = std::as_bytes(std::span(bytes).subspan(block * block_size, block_size));
    const BlockStamp stamp{.seed = 5, .offset = block * block_size, .generation = 1};
    ASSERT_EQ(check_block(content, stamp, true), BlockFault::none) << block;
  }
}

class Verify : public testing::Test {
 protected:
  // A file with stamps, as a run with --keep leaves it.
  void SetUp() override {
    const RingioRun run({"--mode", "write", "--count", "100", "--size", "1MiB", "--buffered",
                         "--verify", "--keep", path_});
    ASSERT_EQ(run.code, 0) << run.errors;
  }

  RingioRun read(const Words& more = {}) {
    Words words{"--sequential", "--count", "256", "--buffered", "--verify", path_};
    words.insert(words.end(), more.begin(), more.end());
    return RingioRun(words);
  }

  void expect_found(const RingioRun& run, std::size_t wrong, const std::string& text) {
    EXPECT_EQ(run.code, 1);
    EXPECT_NE(run.output.find("256 blocks checked, " + std::to_string(wrong) + " wrong"),
              std::string::npos)
        << run.output;
    EXPECT_NE(run.output.find(text), std::string::npos) << run.output;
  }

  const TestFolder folder_;
  const std::string path_ = folder_.file("kept");
};

TEST_F(Verify, FindsNothingWhereNothingIs) {
  const RingioRun run = read();
  EXPECT_EQ(run.code, 0) << run.output << run.errors;
  EXPECT_NE(run.output.find("256 blocks checked, 0 wrong"), std::string::npos) << run.output;
}

TEST_F(Verify, FindsADamagedByteAndNamesItsBlock) {
  const std::string before = bytes_of(path_);
  const std::size_t place = 77 * block_size + 2000;
  change(path_, place, std::string(1, static_cast<char>(before[place] ^ 4)));
  expect_found(read(), 1, "block at byte 315392: its checksum is wrong");
}

TEST_F(Verify, FindsBlocksThatChangedPlaces) {
  const std::string before = bytes_of(path_);
  change(path_, 3 * block_size, before.substr(9 * block_size, block_size));
  change(path_, 9 * block_size, before.substr(3 * block_size, block_size));
  expect_found(read(), 2, "block at byte 12288: it belongs to another place");
}

TEST_F(Verify, FindsABlockThatWasNeverWritten) {
  change(path_, 5 * block_size, std::string(block_size, '\0'));
  expect_found(read(), 1, "block at byte 20480: it carries no stamp");
}

TEST_F(Verify, FindsTheContentOfAnotherRun) {
  expect_found(read({"--seed", "2"}), 256, "written with another --seed");
}

// Somebody puts the old content of one block back, again and again: as if no write of it had ever
// reached the disk.
TEST_F(Verify, FindsAWriteThatWasLost) {
  const std::string old = bytes_of(path_).substr(200 * block_size, block_size);
  const Fd file(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  std::atomic<bool> over{false};
  std::thread thief([&] {
    while (!over) {
      ASSERT_EQ(pwrite(file.get(), old.data(), old.size(), 200 * block_size), 4096);
    }
  });
  const RingioRun run(
      {"--mode", "write", "--overwrite", "--verify", "--buffered", "--runtime", "0.4", path_});
  over = true;
  thief.join();
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.output.find("256 blocks checked, 1 wrong"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("block at byte 819200: it has an older content: a write was lost"),
            std::string::npos)
      << run.output;
}

TEST(Output, HistogramHoldsEveryOperation) {
  const TestFolder folder;
  const RingioRun run({"--directory", folder.path(), "--size", "1MiB", "--buffered", "--count",
                       "2000", "--histogram"});
  ASSERT_EQ(run.code, 0) << run.errors;
  double sum = 0;
  std::size_t at = run.output.find("\nreads\n");
  ASSERT_NE(at, std::string::npos) << run.output;
  while ((at = run.output.find("us ", at)) != std::string::npos) {
    at += 3;
    sum += std::strtod(run.output.c_str() + at, nullptr);
  }
  EXPECT_GT(sum, 90) << run.output;
  EXPECT_LT(sum, 101) << run.output;
}

TEST(Output, PlotHasItsData) {
  const TestFolder folder;
  const RingioRun run({"--directory", folder.path(), "--size", "1MiB", "--buffered", "--mode",
                       "mixed", "--runtime", "0.4", "--plot", folder.file("plot")});
  ASSERT_EQ(run.code, 0) << run.errors;
  for (const char* name : {"/latency.dat", "/iops.dat", "/ringio.gp"}) {
    EXPECT_GT(bytes_of(folder.file("plot") + name).size(), 50U) << name;
  }
  // Of an empty range gnuplot would speak.
  EXPECT_FALSE(std::filesystem::exists(folder.file("plot/ringio.log")));
  for (const char* name : {"/latency.svg", "/iops.svg"}) {
    EXPECT_NE(bytes_of(folder.file("plot") + name).find("</svg>"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace lab
