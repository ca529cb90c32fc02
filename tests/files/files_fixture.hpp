// What the tests of ring-cp and ring-cat share: a folder, and shell commands in it.
#pragma once

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "01-core/lib/check.hpp"
#include "tests/refuse_calls.hpp"

namespace lab {

namespace files = std::filesystem;

/// What a command printed on either stream, and how it ended.
struct Ended {
  int status = 0;
  std::string printed;

  bool says(const std::string& text) const { return printed.find(text) != std::string::npos; }
};

inline std::string read_all(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_all(const files::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string random_bytes(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string path = files::temp_directory_path() / "lab-files-XXXXXX";
    check_errno(mkdtemp(path.data()) == nullptr ? -1 : 0, "mkdtemp");
    folder_ = path;
  }
  ~FilesTest() override {
    std::error_code ignored;
    files::remove_all(folder_, ignored);
  }

  static files::path program(const char* name) {
    return files::read_symlink("/proc/self/exe").parent_path() / name;
  }

  /// Runs a shell command in the folder; $CP and $CAT are the programs.
  Ended run(const std::string& command) const {
    return run(command, program("ring-cp"), program("ring-cat"), [] {});
  }

  /// The same as a user without rights: nobody, when the tests are run by root. What root has made
  /// is nobody's then, and the programs are copies in the folder, for nobody may not be able to
  /// reach ours.
  Ended run_as_user(const std::string& command) const {
    if (geteuid() != 0) return run(command);
    for (const char* name : {"ring-cp", "ring-cat"}) {
      files::copy_file(program(name), folder_ / name, files::copy_options::skip_existing);
    }
    run("find . -user root -exec chown -h 65534:65534 {} +");
    return run(command, folder_ / "ring-cp", folder_ / "ring-cat", [] {
      if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(126);
    });
  }

  /// The same where a filter of system calls allows a ring to be made, and not to be entered.
  Ended run_without_enter(const std::string& command) const {
    return run(command, program("ring-cp"), program("ring-cat"),
               [] { refuse_calls({SYS_io_uring_enter}, EPERM); });
  }

  /// Why a user without rights cannot be tried here; empty: one can.
  std::string no_user() const {
    const Ended ended = run_as_user("echo a >try; $CP try tried");
    return ended.status == 0 ? "" : "a user without rights cannot copy here: " + ended.printed;
  }

  files::path folder_;

 private:
  Ended run(const std::string& command, const files::path& cp, const files::path& cat,
            void (*prepare)()) const {
    const std::string line = "cd '" + folder_.string() + "' && CP='" + cp.string() + "' && CAT='" +
                             cat.string() + "' && { " + command + "\n} >printed 2>&1 </dev/null";
    files::remove(folder_ / "printed");
    const pid_t child = check_errno(fork(), "fork");
    if (child == 0) {
      prepare();
      execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      _exit(126);
    }
    int status = 0;
    check_errno(waitpid(child, &status, 0), "waitpid");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_all(folder_ / "printed")};
  }
};

}  // namespace lab
