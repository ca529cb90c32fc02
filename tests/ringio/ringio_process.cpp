#include "tests/ringio/ringio_process.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

std::string content(const Fd& file) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count =
        pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

TestFolder::TestFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "ringio-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), name);
  }
  path_ = name;
  // Some tests run the program as somebody who is not root.
  std::filesystem::permissions(path_, std::filesystem::perms::all);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RingioProcess::RingioProcess(const std::vector<std::string>& words, const Before& before)
    : output_(check_errno(memfd_create("output", MFD_CLOEXEC), "memfd_create")),
      errors_(check_errno(memfd_create("errors", MFD_CLOEXEC), "memfd_create")) {
  const char* program = LAB_RINGIO;
  pid_ = check_errno(fork(), "fork");
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(output_.get(), STDOUT_FILENO);
  dup2(errors_.get(), STDERR_FILENO);
  before();
  std::vector<char*> pointers{const_cast<char*>(program)};
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execv(program, pointers.data());
  _exit(127);
}

RingioProcess::~RingioProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void RingioProcess::signal(int number) const { kill(pid_, number); }

bool RingioProcess::has_descriptor(
    const std::function<bool(const std::string& target, const std::string& number)>& condition)
    const {
  const std::filesystem::path folder = "/proc/" + std::to_string(pid_) + "/fd";
  for (const auto end = std::chrono::steady_clock::now() + 60s;
       std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(5ms)) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
      if (!error && condition(target, entry.path().filename().string())) return true;
    }
  }
  return false;
}

bool RingioProcess::opens(const std::string& text) const {
  return has_descriptor([&](const std::string& target, const std::string&) {
    return target.find(text) != std::string::npos;
  });
}

// The number is the kernel's view of the ring (05-performance/12-tracing), modulo 2^32.
bool RingioProcess::has_taken(std::uint64_t results) const {
  return has_descriptor([&](const std::string& target, const std::string& number) {
    if (target.find("io_uring") == std::string::npos) return false;
    std::ifstream info("/proc/" + std::to_string(pid_) + "/fdinfo/" + number);
    std::uint64_t taken = 0;
    for (std::string word; info >> word;) {
      if (word == "CqHead:" && info >> taken) return taken >= results;
    }
    return false;
  });
}

int RingioProcess::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

std::string RingioProcess::output() const { return content(output_); }
std::string RingioProcess::errors() const { return content(errors_); }

RingioRun::RingioRun(const std::vector<std::string>& words, const RingioProcess::Before& before) {
  RingioProcess process(words, before);
  code = process.wait();
  output = process.output();
  errors = process.errors();
}

bool takes_direct(const TestFolder& folder) {
  const std::string name = folder.file("direct");
  const Fd fd(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const bool takes = fcntl(fd.get(), F_SETFL, O_DIRECT) == 0;
  unlink(name.c_str());
  return takes;
}

}  // namespace lab
