// Runs any program of the repository to its end and keeps what it said.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

/// A folder that is gone with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "programs-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) check_errno(-1, name.c_str());
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms::all);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Ended {
  int exit = -1;  ///< 1000 + signal when a signal ended it
  std::string output;
  std::string errors;

  std::string all() const { return output + errors; }
};

inline std::string content_of(const Fd& file) {
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t count = 0; (count = pread(file.get(), part.data(), part.size(),
                                         static_cast<off_t>(text.size()))) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(count));
  }
  return text;
}

/// @param before runs in the child, in front of the program
inline Ended run_program(
    const std::string& program, const std::vector<std::string>& words,
    const std::function<void()>& before = [] {}) {
  const Fd output(check_errno(memfd_create("output", MFD_CLOEXEC), "memfd_create"));
  const Fd errors(check_errno(memfd_create("errors", MFD_CLOEXEC), "memfd_create"));
  std::vector<char*> pointers{const_cast<char*>(program.c_str())};
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  const pid_t child = check_errno(fork(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(250);  // a run that hangs ends as a failure, not as the test's time limit
    dup2(output.get(), STDOUT_FILENO);
    dup2(errors.get(), STDERR_FILENO);
    before();
    execv(program.c_str(), pointers.data());
    _exit(127);
  }
  int status = 0;
  check_errno(waitpid(child, &status, 0), "waitpid");
  Ended ended{.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status),
              .output = content_of(output),
              .errors = content_of(errors)};
  for (const char* bug : {"Sanitizer", "runtime error", "LAB_ASSERT", "terminate called"}) {
    EXPECT_EQ(ended.errors.find(bug), std::string::npos) << program << ": " << ended.errors;
  }
  return ended;
}

}  // namespace lab
