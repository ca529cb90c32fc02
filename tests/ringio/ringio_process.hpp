// ringio as a child process, and a folder of the test's own for its files.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"

namespace lab {

/// A folder that is gone with the test.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

/// Started with the constructor, killed with the destructor at the latest.
class RingioProcess {
 public:
  using Before = std::function<void()>;

  /// @param before runs in the child before the program: limits, users
  explicit RingioProcess(
      const std::vector<std::string>& words, const Before& before = [] {});
  ~RingioProcess();
  RingioProcess(const RingioProcess&) = delete;
  RingioProcess& operator=(const RingioProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// Whether it has a file open whose path contains `text`; waits for it.
  bool opens(const std::string& text) const;
  /// Whether one of its rings has had so many results taken from it; waits for it.
  bool has_taken(std::uint64_t results) const;

  /// Waits for the end.
  /// @return the exit code, or 1000 and the signal
  int wait();
  std::string output() const;  ///< stdout
  std::string errors() const;  ///< stderr

 private:
  /// Whether what a descriptor is open for, and its number, fulfil the condition; waits for it.
  bool has_descriptor(const std::function<bool(const std::string& target,
                                               const std::string& number)>& condition) const;

  pid_t pid_ = -1;
  Fd output_;
  Fd errors_;
};

/// Runs it to its end.
struct RingioRun {
  explicit RingioRun(
      const std::vector<std::string>& words, const RingioProcess::Before& before = [] {});
  int code;
  std::string output;
  std::string errors;
};

/// True where files in that folder take O_DIRECT.
bool takes_direct(const TestFolder& folder);

/// For the beginning of a test that needs it.
#define SKIP_WITHOUT_DIRECT(folder) \
  if (!takes_direct(folder))        \
  GTEST_SKIP() << "the file system of the temporary folder refuses O_DIRECT"

}  // namespace lab
